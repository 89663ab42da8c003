import { deepEqual, ok } from 'node:assert/strict';
import type { RetryPolicy } from '@temporalio/common';
import { requestTimeoutMs } from '../../kubernetes/transport.ts';
import { milliseconds } from '../../model/quantities.ts';
import { pace } from '../../workflows/activities.ts';

const paces = Object.entries(pace);

function durationMs(duration: unknown): number {
  ok(typeof duration === 'string', 'durations are written with a unit');
  return milliseconds(duration);
}

/** Attempts that fail at once, within this time. */
function attemptsWithin(ms: number, retry: RetryPolicy | undefined): number {
  const [longest, factor] = [durationMs(retry?.maximumInterval), retry?.backoffCoefficient ?? 2];
  let attempts = 1;
  for (let [at, pause] = [0, durationMs(retry?.initialInterval)]; (at += pause) <= ms; attempts++)
    pause = Math.min(pause * factor, longest);
  return attempts;
}

describe('time-outs and retries of activities', () => {
  it('H7: every attempt lasts longer than a request to the API server can', () => {
    const short = paces.filter(([, { startToCloseTimeout }]) => durationMs(startToCloseTimeout) <= requestTimeoutMs);
    deepEqual(
      short.map(([name]) => name),
      [],
    );
  });

  it('D13: a Secret that is missing is looked for once a minute: 75 times in 69 minutes, and not 785 times', () => {
    const attempts = attemptsWithin(69 * 60_000, pace.copyCredentials.retry);
    ok(attempts <= 75, `${attempts} attempts`);
  });
});
