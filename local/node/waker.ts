/** Lets a loop wait for a moment or for news, whichever is first. News that came while nobody waited is kept. */
export class Waker {
  #isCalled = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#isCalled = true;
    this.#resolve?.();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#isCalled) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(ms, 2 ** 31 - 1));
        this.#resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#resolve = undefined;
    this.#isCalled = false;
  }
}
