/**
 * A batch that may be stored, whose records are other rows since the table was altered, and of which a person has said
 * Repeat: on the real engine, which drops a block whose token it knows, whatever rows are in it.
 */
import { deepEqual, equal, notEqual } from 'node:assert/strict';
import type { RecordObject } from '../../../model/value.ts';
import { MemoryLog } from '../../stream/support/memory-log.ts';
import { waitsFor, written } from './owner.ts';
import { tablesOfTest } from './tables.ts';

interface Altered {
  readonly columns: string;
  readonly records: readonly RecordObject[];
  readonly alter: readonly string[];
  /** Ids that are stored by the attempt whose answer is lost, and after Repeat. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Numbers of the records that are refused after Repeat. */
  readonly refused?: readonly number[];
}

const three = [
  { id: 1, v: 7 },
  { id: 2, v: 'seven' },
  { id: 3, v: 8 },
];

const table: Readonly<Record<string, Altered>> = {
  'a record that was no row is one': {
    columns: 'id UInt64, v UInt8',
    records: three,
    alter: ['MODIFY COLUMN v String'],
    before: [1, 3],
    after: [1, 1, 2, 3, 3],
  },
  'a row that was refused is taken': {
    columns: "id UInt64, v String, CONSTRAINT c CHECK v != 'seven'",
    records: three,
    alter: ['DROP CONSTRAINT c', 'ADD COLUMN w UInt8'],
    before: [1, 3],
    after: [1, 1, 2, 3, 3],
  },
  'a row that was taken is refused': {
    columns: 'id UInt64, v String',
    records: three,
    alter: ['ADD COLUMN w UInt8', "ADD CONSTRAINT c CHECK v != 'seven'"],
    before: [1, 2, 3],
    after: [1, 1, 2, 3, 3],
    refused: [1],
  },
  'the rows have other values': {
    columns: 'id UInt64',
    records: three,
    alter: ['ADD COLUMN v String'],
    before: [1, 2, 3],
    after: [1, 1, 2, 2, 3, 3],
  },
};

describe('ClickHouse sink, a batch that a person repeats after an ALTER', function () {
  const { run, create, open, ids, url } = tablesOfTest('repeated');

  const tokenIn = ({ last }: Pick<MemoryLog, 'last'>) => (last?.kind === 'intent' ? last.token : undefined);

  for (const [what, { columns, records, alter, before, after, refused = [] }] of Object.entries(table)) {
    it(`V2: ${what}: every record is stored or refused, and what is logged is what was sent`, async () => {
      const name = await create(columns);
      const log = new MemoryLog();
      await written(await open(name), log, records);
      deepEqual(await ids(name), before);
      const first = tokenIn(log);
      for (const change of alter) await run(`ALTER TABLE ${name} ${change}`);
      waitsFor('MR_SINK_OUTCOME_UNKNOWN', /when it was started/)(await written(await open(name), log, records));
      equal(tokenIn(log), first);
      deepEqual(await written(await open(name, { onUncertain: 'Repeat' }), log, records), refused);
      deepEqual(await ids(name), after);
      const second = tokenIn(log);
      notEqual(second, first);
      // The answer is lost again: from now on it is a batch like others, which the table knows, and nobody is asked.
      deepEqual(await written(await open(name), log, records), refused);
      deepEqual([await ids(name), tokenIn(log)], [after, second]);
    });
  }

  describe('V2: after an edit of the address, which leads to the same table', () => {
    const moved = () => ({ url: url().replace('127.0.0.1', 'localhost'), onUncertain: 'Repeat' });

    it('rows that are the same keep their token, so that the table drops what it has', async () => {
      const name = await create('id UInt64');
      const log = new MemoryLog();
      await written(await open(name), log, three);
      const { last } = log;
      await written(await open(name, moved()), log, three);
      deepEqual([await ids(name), tokenIn(log)], [[1, 2, 3], tokenIn({ last })]);
      // What is logged is where it was sent to: the next owner there asks nobody.
      notEqual(log.last?.target, last?.target);
      deepEqual(await written(await open(name, { ...moved(), onUncertain: 'Stop' }), log, three), []);
      deepEqual(await ids(name), [1, 2, 3]);
    });

    it('a row that was refused and is taken now is not lost', async () => {
      const name = await create("id UInt64, v String, CONSTRAINT c CHECK v != 'seven'");
      const log = new MemoryLog();
      deepEqual(await written(await open(name), log, three), [1]);
      await run(`ALTER TABLE ${name} DROP CONSTRAINT c`);
      deepEqual(await written(await open(name, moved()), log, three), []);
      deepEqual(await ids(name), [1, 1, 2, 3, 3]);
    });
  });

  it('V2: as often as the table is altered', async () => {
    const name = await create('id UInt64, v UInt8');
    const log = new MemoryLog();
    const records = [
      { id: 1, v: 7, w: 'x' },
      { id: 2, v: 'seven', w: 1 },
    ];
    await written(await open(name), log, records);
    const tokens = [tokenIn(log)];
    for (const change of ['MODIFY COLUMN v String', 'ADD COLUMN w UInt8', 'MODIFY COLUMN w String']) {
      await run(`ALTER TABLE ${name} ${change}`);
      await written(await open(name, { onUncertain: 'Repeat' }), log, records);
      tokens.push(tokenIn(log));
    }
    equal(new Set(tokens).size, 4);
    deepEqual(await ids(name), [1, 1, 1, 2, 2, 2]);
  });
});
