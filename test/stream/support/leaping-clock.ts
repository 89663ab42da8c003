/** A clock on which waiting takes no time: each sleep moves it to its end, and what is due before that happens first. */
import type { Clock } from '../../../model/clock.ts';

export function leapingClock(): Clock & { leap(ms: number): void } {
  let now = 1_700_000_000_000;
  const due: { at: number; act: () => void }[] = [];
  const leap = (ms: number) => {
    const end = now + ms;
    for (;;) {
      const next = due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      due.splice(due.indexOf(next), 1);
      now = Math.max(now, next.at);
      next.act();
    }
    now = end;
  };
  return {
    now: () => now,
    monotonic: () => now,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      leap(ms);
      await Promise.resolve();
      signal?.throwIfAborted();
    },
    after(ms, act) {
      const entry = { at: now + ms, act };
      due.push(entry);
      return () => {
        if (due.includes(entry)) due.splice(due.indexOf(entry), 1);
      };
    },
    turn: () => Promise.resolve(),
    leap,
  };
}
