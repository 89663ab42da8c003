/** The table of a run, for people. */
import type { Outcome } from './run.ts';
import { isClean } from './verify.ts';

type Judged = Pick<Outcome, 'orders' | 'events' | 'outOfOrder' | 'health' | 'settledMs' | 'left'>;

export function passed({ orders, events, outOfOrder, health, settledMs, left }: Judged): boolean {
  const isRight = isClean(orders) && isClean(events) && outOfOrder === 0;
  return isRight && health.intervals === 0 && settledMs !== undefined && left.length === 0;
}

export function report(outcome: Outcome): string {
  const {
    seed,
    lengthMs,
    bus,
    faults,
    orders,
    events,
    outOfOrder,
    health,
    recoveries,
    settledMs,
    refusals,
    restarts,
    left,
  } = outcome;
  const times = recoveries.flatMap(({ afterMs }) => (afterMs === undefined ? [] : [afterMs])).sort((a, b) => a - b);
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const kinds = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`);
  const worst = recoveries.toSorted((a, b) => (b.afterMs ?? Infinity) - (a.afterMs ?? Infinity)).slice(0, 5);
  return [
    `seed ${seed}, NATS ${bus}, ${(lengthMs / 60_000).toFixed(1)} minutes, ${total} faults: ${kinds.join(', ')}`,
    '',
    'pipeline  input      lost  doubled  invented  wrong  out of order  edition fell  dead letters missing/doubled/wrong',
    row('orders', orders, String(outOfOrder)),
    row('events', events, '-'),
    '',
    `False claims of health: ${health.intervals} intervals, ${health.seconds} s, worst ${health.worstSeconds} s`,
    `Recovery: median ${seconds(times[Math.floor(times.length / 2)])}, worst ${seconds(times.at(-1))}`,
    ...worst.map(({ fault, afterMs }) => `  ${seconds(afterMs).padStart(8)}  ${fault}`),
    `All had arrived ${settledMs === undefined ? 'NOT AT ALL' : `after ${seconds(settledMs)}`}`,
    ...(left.length === 0 ? [] : [`Left of pipelines that were deleted: ${left.join(', ')}`]),
    `Restarts: ${Object.entries(restarts)
      .filter(([, count]) => count > 0)
      .map(([part, count]) => `${part} ${count}`)
      .join(', ')}`,
    'Refused while it ran (and sent again):',
    ...[...refusals].map(([what, count]) => `  ${String(count).padStart(5)}  ${what}`),
    '',
    passed(outcome) ? 'PASSED' : 'FAILED',
    '',
  ].join('\n');
}

function row(name: string, verdict: Outcome['orders'], outOfOrder: string): string {
  const { input, lost, doubled, invented, wrong, editionFell } = verdict;
  const letters = `${verdict.deadLettersMissing}/${verdict.deadLettersDoubled}/${verdict.deadLettersWrong}`;
  return [
    name.padEnd(10),
    String(input).padEnd(11),
    String(lost).padEnd(6),
    String(doubled).padEnd(9),
    String(invented).padEnd(10),
    String(wrong).padEnd(7),
    outOfOrder.padEnd(14),
    String(editionFell).padEnd(14),
    letters,
  ].join('');
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? 'never' : `${(ms / 1_000).toFixed(1)} s`;
}
