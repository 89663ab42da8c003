/**
 * Every sink, every type of a column that it takes, every awkward value: a value is stored and read back as what it was,
 * or it is a dead letter with a code, or the sink does not start. It is never changed without a word.
 *
 * The table is `table.txt`, the values are `awkward.ts`; a new sink, type or value is a line there. `judge.ts` says whether
 * a value is what it was, so that a row cannot claim it.
 */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { connectors } from '../../../connectors/registry.ts';
import { MillraceError } from '../../../model/errors.ts';
import { decode } from '../../transforms/support/records.ts';
import { batch, meta, slotId, write } from '../sink-context.ts';
import { absent, awkward, named } from './awkward.ts';
import { isKept } from './judge.ts';
import { rows, type Row } from './table.ts';
import { targets, type Target } from './targets.ts';

const deadLetter = /^MR_RECORD_(?:MISFIT|REFUSED|NOT_JSON)$/;

it('each connector with a sink has a part of the table', () => {
  const sinks = Object.entries(connectors).flatMap(([name, connector]) => ('sink' in connector ? [name] : []));
  deepEqual(Object.keys(targets).sort(), sinks.sort());
  deepEqual([...new Set(rows.map(({ sink }) => sink))].sort(), sinks.sort());
});

for (const [sink, { ways, start }] of Object.entries(targets)) {
  const [usual] = ways;
  describe(`values in columns of ${sink}`, function () {
    let target: Target;
    let tables = 0;

    before(async () => {
      target = await start();
    });

    after(() => target.stop());

    it('each type that a column may have has a row', async () => {
      const words = new Set(rows.flatMap((row) => (row.sink === sink ? namesIn(row.type) : [])));
      deepEqual(
        (await target.types()).filter((type) => !words.has(type)),
        [],
      );
    });

    for (const row of rows) {
      if (row.sink !== sink) continue;
      if (row.door !== null) {
        it(`${row.type} is refused at the door`, async () => {
          const table = `t${++tables}`;
          await target.make(table, row.type, usual);
          await rejects(target.connect(table, usual), { code: row.door });
        });
        continue;
      }
      for (const way of ways) {
        it(`${row.type} keeps a value, or refuses it (${way})`, async () => {
          const table = `t${++tables}`;
          await target.make(table, row.type, way);
          const wanted = new Map(valuesOf(row).map((json) => [json, wantedOf(row, json)]));
          const actual = await outcomes(target, table, row, way);
          deepEqual(readable(actual), readable(wanted));
        });
      }
    }
  });
}

const valuesOf = (row: Row): readonly string[] => [...new Set([...awkward, ...row.tried])];

type Outcome = 'kept' | 'dead letter' | { readonly text: string | null };

function wantedOf(row: Row, json: string): Outcome {
  const text = row.shown.get(json);
  if (text !== undefined) return { text };
  return row.isKept(json) ? 'kept' : 'dead letter';
}

async function outcomes(target: Target, table: string, row: Row, way: string): Promise<ReadonlyMap<string, Outcome>> {
  const connected = await target.connect(table, way);
  const slot = await connected.open({ ...slotId, stage: `sink-${table}` });
  const buffer = slot.newRows();
  const found = new Map<string, Outcome>();
  const added: string[] = [];
  for (const json of valuesOf(row)) {
    try {
      buffer.add(decode(json === absent ? `{"n":${added.length}}` : `{"n":${added.length},"v":${json}}`), meta);
      added.push(json);
    } catch (error) {
      equal(
        error instanceof MillraceError && deadLetter.test(error.code),
        true,
        `${json.slice(0, 80)}: ${String(error)}`,
      );
      found.set(json, 'dead letter');
    }
  }
  for (const { row: n, error } of await write(slot, buffer, batch(0, 1))) {
    equal(deadLetter.test(error.code), true, error.message);
    found.set(added[n] ?? '', 'dead letter');
  }
  await connected.close();
  const stored = await target.read(table);
  const ofNothing = await target.defaultIn(table);
  for (const [n, json] of added.entries()) {
    if (found.has(json)) continue;
    const text = stored.get(n);
    if (text === undefined) throw new Error(`${json.slice(0, 80)} is neither stored nor a dead letter`);
    const isSame = json === absent ? text === ofNothing : isKept(decode(`{"v":${json}}`)['v'] ?? null, text, row.form);
    found.set(json, isSame ? 'kept' : { text });
  }
  return found;
}

/** In one order, and short enough to read. */
function readable(all: ReadonlyMap<string, Outcome>): Record<string, Outcome> {
  const nameOf = (json: string) => Object.keys(named).find((name) => named[name] === json) ?? json;
  return Object.fromEntries(
    [...all].map(([json, outcome]) => [nameOf(json), outcome] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Names of types in a type, by the system's own names. */
function namesIn(type: string): readonly string[] {
  const words = type.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? [];
  return words.map((word) => aliases[word] ?? word);
}

/** What is written in a table's definition, and what the catalogue calls it. */
const aliases: Readonly<Record<string, string>> = { char: 'bpchar' };
