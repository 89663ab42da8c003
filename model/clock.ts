/**
 * Time, injected: code that waits or measures gets a clock, so that a test decides what time it is, and the simulation
 * runs hours in milliseconds. The machine's clock is `stream/clock.ts`: nothing that reads the time lies in this folder.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never decreases, and keeps counting while the process is stopped. */
  monotonic(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `act` once after `ms`, unless the returned function is called before. */
  after(ms: number, act: () => void): () => void;
  /** Resolves when everything else that is ready has run. */
  turn(): Promise<void>;
}

/** The time of day, and waiting: all that connectors and activities need. */
export type WallClock = Pick<Clock, 'now' | 'sleep'>;
