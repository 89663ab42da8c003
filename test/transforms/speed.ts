/** Prints what the record path costs: `node test/transforms/speed.ts`. Not a test, because a machine may be busy. */
import { encodeJson, type Json, type RecordObject } from '../../model/value.ts';
import { compileStages } from '../../transforms/chain.ts';
import { compileExpression, interpret } from '../../transforms/expression/expression.ts';
import { decodeRecord } from '../../transforms/json.ts';
import { meta } from './support/records.ts';

const records = 1_000;

function small(i: number): string {
  return JSON.stringify({
    id: 1000 + i,
    status: i % 3 ? 'paid' : 'open',
    amount: i * 1.25,
    qty: i % 7,
    customer: `customer-${i}`,
    created_at: '2026-11-20T10:00:00.000Z',
    note: 'text that fills the record up until it has about two hundred bytes',
  });
}

function large(i: number): string {
  const fields = Array.from({ length: 42 }, (_, f) => [`field_${f}`, f % 2 ? `value-${i * f}-abcdefgh` : i * f * 1.5]);
  return JSON.stringify(Object.fromEntries(fields));
}

const rounds = 100;

/** The best of ten: what the code takes when nothing else runs. */
function measure(what: string, run: (index: number) => unknown): void {
  let best = Infinity;
  for (let attempt = 0; attempt < 10; attempt++) {
    const start = process.hrtime.bigint();
    for (let round = 0; round < rounds; round++) for (let i = 0; i < records; i++) run(i);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / (rounds * records));
  }
  process.stdout.write(`${best.toFixed(0).padStart(6)} ns  ${what}\n`);
}

function packed(make: (i: number) => string): { bytes: Buffer; at: number[] } {
  const parts = Array.from({ length: records }, (_, i) => Buffer.from(make(i)));
  const at = [0];
  for (const part of parts) at.push(at[at.length - 1]! + part.length);
  return { bytes: Buffer.concat(parts), at };
}

for (const [name, make] of [
  ['200 B', small],
  ['1.2 KB', large],
] as const) {
  const { bytes, at } = packed(make);
  measure(`decode ${name}`, (i) => decodeRecord(bytes, at[i]!, at[i + 1]!));
  const values = Array.from({ length: records }, (_, i) => decodeRecord(bytes, at[i]!, at[i + 1]!));
  measure(`encode ${name}`, (i) => encodeJson(values[i]!));
}

const { bytes, at } = packed(small);
const decoded: RecordObject[] = Array.from({ length: records }, (_, i) => decodeRecord(bytes, at[i]!, at[i + 1]!));

for (const source of [
  "record.status == 'paid'",
  'record.amount * double(record.qty)',
  'has(record.amount) && record.amount > 1.0',
  'record.amount * 2',
  "record.status in ['paid', 'open']",
]) {
  const compiled = compileExpression(source, '', '');
  measure(source, (i) => compiled(decoded[i]!, meta, 0));
}
const walked = interpret("record.status == 'paid'");
measure("record.status == 'paid', walked by cel-js", (i) => walked(decoded[i]!, meta, 0));

function chain(what: string, steps: readonly { kind: string; config: Json }[]): void {
  const program = compileStages({
    sink: 'w',
    ownsStepFailures: true,
    route: { unless: [], when: null },
    steps: steps.map((step, i) => ({ name: `s${i}`, when: null, ...step })),
  });
  measure(`decode 200 B, ${what}`, (i) => program.run(decodeRecord(bytes, at[i]!, at[i + 1]!), meta, 0));
}

const filter = { kind: 'filter', config: { where: "record.status == 'paid'" } };
const set = { total: 'record.amount * double(record.qty)' };
chain('filter', [filter]);
chain('map of one field', [{ kind: 'map', config: { set } }]);
chain('filter, map of one field, one removed', [filter, { kind: 'map', config: { set, remove: ['note'] } }]);
chain('map of 8 fields', [
  {
    kind: 'map',
    config: { set: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}`, `record.amount * ${i}.5`])) },
  },
]);
