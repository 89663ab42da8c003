/**
 * One connection that all slots of a pod share: opened at first use, one attempt at a time, kept until closed. All
 * callers that waited for a failed attempt get its error; the next call starts a new attempt.
 */
export class OnceConnected<T extends { close(): Promise<void> }> {
  readonly #connect: () => Promise<T>;
  #connecting: Promise<T> | undefined;

  constructor(connect: () => Promise<T>) {
    this.#connect = connect;
  }

  get(): Promise<T> {
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  async close(): Promise<void> {
    const connecting = this.#connecting;
    if (connecting === undefined) return;
    const connected = await connecting.catch(() => undefined);
    await connected?.close();
  }
}
