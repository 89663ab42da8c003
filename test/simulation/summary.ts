/**
 * What runs of seeds have come to, in numbers that can be told: added up over calls, in a file if one is named.
 *
 * U1  A seed that was run again counts once more as a run, and once as a failure.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Found } from './crew.ts';

const summarySchema = z.object({
  runs: z.number(),
  events: z.number(),
  records: z.number(),
  mishaps: z.number(),
  virtualMs: z.number(),
  /** From and to, both included, with the day on which they began. */
  calls: z.array(z.object({ from: z.string(), to: z.string(), at: z.string() })),
  failed: z.record(z.string(), z.string()),
});
export type Summary = z.output<typeof summarySchema>;

export const nothing: Summary = { runs: 0, events: 0, records: 0, mishaps: 0, virtualMs: 0, calls: [], failed: {} };

/** The summary with one more seed. */
export function added(to: Summary, { seed, events, records, mishaps, virtualMs, violation }: Found): Summary {
  return {
    ...to,
    runs: to.runs + 1,
    events: to.events + events,
    records: to.records + records,
    mishaps: to.mishaps + mishaps,
    virtualMs: to.virtualMs + virtualMs,
    failed: violation === undefined ? to.failed : { ...to.failed, [seed]: violation },
  };
}

export function lineOf({ runs, events, records, mishaps, virtualMs, failed }: Summary): string {
  const hours = (virtualMs / 3_600_000).toFixed(1);
  const count = Object.keys(failed).length;
  return `${runs} runs, ${events} events, ${records} records, ${mishaps} mishaps, ${hours} h of model time: ${count} failed`;
}

export function readSummary(file: string): Summary {
  try {
    return summarySchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return nothing;
    throw error;
  }
}

export function writeSummary(file: string, summary: Summary): void {
  writeFileSync(file, `${JSON.stringify(summary, null, 2)}\n`);
}
