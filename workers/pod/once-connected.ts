/**
 * One connection that all slots of a pod share: made when first asked for, one attempt at a time, kept until closed.
 * A failed attempt is told to everyone who waited for it; the next who asks makes a new one.
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
