/** Lets a loop wait until a time or a wake-up, whichever is first. A wake-up while nothing waits is kept. */
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
