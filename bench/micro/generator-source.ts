/**
 * CPU of the generator source alone: five fields, as fast as it can.
 *
 * node bench/micro/generator-source.ts [records]
 */
import { pino } from 'pino';
import { source } from '../../connectors/generator/index.ts';
import { generatorSourceSpec } from '../../connectors/generator/spec.ts';
import { undecided } from '../../test/connectors/source-context.ts';

const records = Number(process.argv[2] ?? 2_000_000);
const config = generatorSourceSpec.parse({
  rate: 0,
  count: records,
  fields: [
    { name: 'id', kind: 'Sequence' },
    { name: 'at', kind: 'Timestamp' },
    { name: 'status', kind: 'Choice', choices: ['new', 'paid', 'sent'] },
    { name: 'amount', kind: 'Float', min: 0, max: 1_000, decimals: 2 },
    { name: 'customer', kind: 'Integer', min: 0, max: 1_000_000 },
  ],
});
const { signal } = new AbortController();
const opened = await source.connect(config, {
  name: 'bench',
  pipeline: { name: 'bench', namespace: 'bench', uid: 'bench', pid: 'bench' },
  identity: { user: 'user "app"', credentials: 'username, password (key "password" of Secret "app")' },
  log: pino({ level: 'silent' }),
  clock: { now: Date.now, sleep: () => Promise.resolve() },
  bindAddress: '127.0.0.1',
  maxRecordBytes: () => 8 * 2 ** 20,
  maxTogetherBytes: () => 8 * 2 ** 20,
  waitsFor: () => undefined,
  signal,
  slots: 1,
});

for (let round = 1; round <= 3; round++) {
  const reader = await opened.open(0, undefined, undecided);
  const cpu = process.cpuUsage();
  let bytes = 0;
  for (let batch = await reader.read(signal); batch !== undefined; batch = await reader.read(signal)) {
    bytes += batch.valueEnd[batch.count - 1] ?? 0;
  }
  const { user, system } = process.cpuUsage(cpu);
  const each = ((user + system) / records).toFixed(3);
  process.stdout.write(
    `round ${round}: ${records} records of ${Math.round(bytes / records)} B, ${each} µs of CPU each\n`,
  );
}
