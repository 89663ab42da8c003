/**
 * What a record costs from its bytes to its row of ClickHouse, with and without steps, in one process:
 * `node bench/micro/rows.ts [--against <checkout>] [--rounds N]`.
 *
 * With --against, processes of both checkouts take turns, and the last column is the ratio: on a shared machine only
 * that counts. It works with every commit from v0.1 on.
 */
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type * as Encoders from '../../connectors/clickhouse/encoders.ts';
import type * as Rows from '../../connectors/clickhouse/row-buffer.ts';
import { toJson } from '../../model/json.ts';
import type { SinkStage } from '../../model/plan.ts';
import type { RecordMeta } from '../../model/value.ts';
import type * as Program from '../../workers/sink/program.ts';
import { cases, type BenchCase } from '../cases.ts';

const { values: options } = parseArgs({
  options: {
    against: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    /** Set for the processes that measure: the checkout whose code they load. */
    measure: { type: 'string' },
  },
});

const here = resolve(import.meta.dirname, '../..');
const frameRecords = 1_000;
const batchFrames = 20;

const meta: RecordMeta = {
  source: 'orders',
  topic: 'orders',
  partition: 0,
  offset: 1n,
  key: null,
  headers: {},
  timestamp: 0,
};

if (options.measure !== undefined) await measureIn(options.measure);
else compare([here, ...(options.against === undefined ? [] : [resolve(options.against)])]);

/** The minimum of several rounds: the time that the code takes when it is not disturbed. */
function compare(roots: readonly string[]): void {
  const best = roots.map(() => new Map<string, number>());
  for (let round = 0; round < Number(options.rounds); round++) {
    roots.forEach((root, i) => {
      const output = execFileSync(process.execPath, [import.meta.filename, '--measure', root], { encoding: 'utf8' });
      for (const line of output.trim().split('\n')) {
        const [name = '', micros = ''] = line.split('\t');
        best[i]!.set(name, Math.min(Number(micros), best[i]!.get(name) ?? Infinity));
      }
    });
  }
  for (const [name, micros] of best[0]!) {
    const other = best[1]?.get(name);
    const ratio = other === undefined ? '' : `${other.toFixed(2)} there, ratio ${(micros / other).toFixed(2)}`;
    process.stdout.write(`${name.padEnd(36)} ${micros.toFixed(2)} µs CPU/record   ${ratio}\n`);
  }
}

async function measureIn(root: string): Promise<void> {
  const load = async (path: string): Promise<unknown> => await import(join(root, path));
  const { sinkProgram } = (await load('workers/sink/program.ts')) as typeof Program;
  const { ClickHouseRows } = (await load('connectors/clickhouse/row-buffer.ts')) as typeof Rows;
  const { compileEncoder } = (await load('connectors/clickhouse/encoders.ts')) as typeof Encoders;
  for (const benchCase of cases) {
    const columns = benchCase.columns.map((column) => {
      const encoder = compileEncoder(column.type);
      if (encoder === null) throw new TypeError(column.type);
      return { ...column, hasDefault: false, encoder };
    });
    const program = sinkProgram(stageOf(benchCase));
    const rows = new ClickHouseRows(columns, false);
    const { bytes, ends } = frameOf(benchCase);
    const start = process.cpuUsage();
    const frames = Math.ceil(benchCase.records / frameRecords / 4);
    for (let frame = 0; frame < frames; frame++) {
      if (frame % batchFrames === 0) rows.clear();
      program.flat?.open(bytes, ends[ends.length - 1]!);
      for (let i = 0; i < frameRecords; i++) {
        const from = i === 0 ? 0 : ends[i - 1]!;
        const flat = program.flat?.run(from, ends[i]!, meta, 0);
        if (flat === 'drop' || (flat !== undefined && rows.addFlat(flat))) continue;
        const value = program.run(bytes, from, ends[i]!, meta, 0);
        if (typeof value === 'object') rows.add(value);
      }
    }
    const { user, system } = process.cpuUsage(start);
    process.stdout.write(`${benchCase.name}\t${(user + system) / (frames * frameRecords)}\n`);
  }
}

function frameOf({ shape }: BenchCase): { bytes: Buffer; ends: number[] } {
  const texts = Array.from({ length: frameRecords }, (_, i) => Buffer.from(shape.value(i)));
  let end = 0;
  const ends = texts.map((text) => (end += text.length));
  return { bytes: Buffer.concat([...texts, Buffer.alloc(64)]), ends };
}

function stageOf({ steps }: BenchCase): SinkStage {
  return {
    name: 'sink-bench',
    workload: 'sink-bench',
    kind: 'sink',
    connector: 'clickhouse',
    config: null,
    slots: 1,
    replicas: 1,
    resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
    sink: 'bench',
    reads: 'main',
    sources: { orders: { topic: null, schema: null } },
    steps: steps.map(({ name, ...kinds }) => {
      const [[kind, config] = ['', null]] = Object.entries(kinds);
      return { name, kind, config: toJson(config), when: null };
    }),
    ownsStepFailures: true,
    route: { unless: [], when: null },
    batch: { maxRecords: 50_000, maxBytes: 16 * 2 ** 20, maxDelayMs: 1_000 },
  };
}
