/**
 * `npm run bench [-- --case TEXT] [--scale F] [--save]`: records/s and CPU per record, Kafka → ClickHouse.
 *
 * --case   only cases whose name contains the text
 * --scale  multiplies the number of records (0.1 for a quick look)
 * --save   stores the results in bench/baseline.json, against which later runs print ratios
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { cases } from './cases.ts';
import { measure, type Result } from './measure.ts';
import { machine, renderResults } from './report.ts';
import { startRig } from './rig.ts';

const baselineFile = join(import.meta.dirname, 'baseline.json');

const cpu = z.object({
  ingestor: z.number(),
  nats: z.number(),
  sink: z.number(),
  clickhouse: z.number(),
  kafka: z.number(),
});
const baselineSchema = z.array(
  z.object({
    name: z.string(),
    records: z.number(),
    seconds: z.number(),
    recordsPerSecond: z.number(),
    cpu,
    rssMiB: z.object({ ingestor: z.number(), sink: z.number() }),
  }),
);

const { values } = parseArgs({
  options: {
    case: { type: 'string', default: '' },
    scale: { type: 'string', default: '1' },
    save: { type: 'boolean', default: false },
  },
});

const baseline = baselineSchema.parse(JSON.parse(await readFile(baselineFile, 'utf8').catch(() => '[]')));
const rig = await startRig();
const results: Result[] = [];
try {
  for (const [index, benchCase] of cases.entries()) {
    if (!benchCase.name.includes(values.case)) continue;
    // A multiple of 4 keeps the share of each status.
    const records = Math.ceil((benchCase.records * Number(values.scale)) / 4) * 4;
    process.stderr.write(`${benchCase.name}: ${records} records…\n`);
    results.push(await measure(rig, { ...benchCase, records }, index));
  }
} finally {
  await rig.stop();
}
process.stdout.write(`${machine()}\n\n${renderResults(results, baseline)}\n`);
if (values.save) await writeFile(baselineFile, `${JSON.stringify(results, null, 2)}\n`);
