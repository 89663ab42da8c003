/**
 * When to check a pipeline again if no event comes: a report expires, patience ends, a pace allows the next write.
 *
 * One time per key, to the second. Keys are grouped by the second in which they are due, so ten thousand of them cost
 * nothing until then.
 */
export class Alarms {
  readonly #bySecond = new Map<number, Set<string>>();
  readonly #secondOf = new Map<string, number>();
  #reached: number;

  constructor(now: number) {
    this.#reached = Math.floor(now / 1_000);
  }

  /** Replaces the time of the key; undefined: removes it. */
  set(key: string, at: number | undefined): void {
    this.forget(key);
    if (at === undefined || !Number.isFinite(at)) return;
    const second = Math.max(Math.ceil(at / 1_000), this.#reached + 1);
    this.#secondOf.set(key, second);
    const keys = this.#bySecond.get(second) ?? new Set<string>();
    this.#bySecond.set(second, keys.add(key));
  }

  forget(key: string): void {
    const second = this.#secondOf.get(key);
    if (second === undefined) return;
    this.#secondOf.delete(key);
    const keys = this.#bySecond.get(second);
    keys?.delete(key);
    if (keys?.size === 0) this.#bySecond.delete(second);
  }

  /** Keys that are due by now; each is returned once. */
  take(now: number): readonly string[] {
    const due: string[] = [];
    const second = Math.floor(now / 1_000);
    for (; this.#reached < second; this.#reached++) {
      const keys = this.#bySecond.get(this.#reached + 1);
      if (keys === undefined) continue;
      due.push(...keys);
      for (const key of keys) this.#secondOf.delete(key);
      this.#bySecond.delete(this.#reached + 1);
    }
    return due;
  }
}
