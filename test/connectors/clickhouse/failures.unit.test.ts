import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { ClickHouseError } from '@clickhouse/client';
import { codes, type Meaning } from '../../../connectors/clickhouse/codes.ts';
import { parseExamination, parseFailure } from '../../../connectors/clickhouse/failures.ts';

const where = {
  sink: 'warehouse',
  identity: { user: 'user "app"', credentials: 'password' },
  server: 'ch:8123',
  table: 'shop.orders',
};
const answer = (code: number, type: string, message = 'what it says') =>
  new ClickHouseError({ message, code: String(code), type });

describe('failures of ClickHouse', () => {
  const expected: Readonly<Record<Exclude<Meaning, 'rows' | 'doubtful'>, string>> = {
    auth: 'MR_SINK_AUTH_REJECTED',
    privilege: 'MR_SINK_PRIVILEGE_MISSING',
    missing: 'MR_SINK_PLACE_MISSING',
    unfit: 'MR_SINK_TABLE_UNFIT',
    busy: 'MR_SINK_BUSY',
    unreachable: 'MR_SINK_UNREACHABLE',
  };

  for (const [code, { name, meaning, stored }] of codes) {
    it(`L1, L2: ${name} (${code}) is ${meaning}, and ${stored === 'nothing' ? 'nothing is stored' : 'leaves open what is stored'}`, () => {
      const parsed = parseFailure(answer(code, name), where);
      if (meaning === 'rows' || meaning === 'doubtful') {
        const problem = `what it says (${name} ${code})`;
        return deepEqual(parsed, { kind: 'rows', problem, isDoubtful: meaning === 'doubtful', stored });
      }
      ok(parsed.kind === 'wait');
      deepEqual([parsed.error.code, parsed.error.handling, parsed.stored], [expected[meaning], 'retry', stored]);
    });

    it(`X3: ${name} (${code}) of a view leaves open what is stored, and blames no row`, () => {
      const parsed = parseFailure(answer(code, name, 'no: while pushing to view shop.daily (uuid)'), where);
      ok(parsed.kind === 'wait');
      deepEqual([parsed.error.code, parsed.stored], ['MR_SINK_VIEW_FAILED', 'unknown']);
    });
  }

  const absent: readonly (readonly [code: number, text: string, means: string])[] = [
    [60, 'Table shop.orders does not exist. Maybe you meant shop.order?', 'MR_SINK_TABLE_MISSING'],
    [60, 'Table `shop`.`orders` does not exist', 'MR_SINK_TABLE_MISSING'],
    [60, 'Table shop.order does not exist. Maybe you meant shop.orders?', 'MR_SINK_PLACE_MISSING'],
    [218, 'Table shop.orders is dropped', 'MR_SINK_TABLE_MISSING'],
    [60, 'Table shop.orders_by_day does not exist', 'MR_SINK_PLACE_MISSING'],
    [60, 'Table shop.names does not exist', 'MR_SINK_PLACE_MISSING'],
    [81, 'Database shop does not exist', 'MR_SINK_PLACE_MISSING'],
  ];
  for (const [code, text, means] of absent) {
    it(`what does not exist is named, and is not always the table: ${text}`, () => {
      const parsed = parseFailure(answer(code, 'UNKNOWN', text), where);
      ok(parsed.kind === 'wait');
      equal(parsed.error.code, means);
    });
  }

  it('a right that is missing is told with the statement that gives it', () => {
    const text =
      "app: Not enough privileges. To execute this query, it's necessary to have the grant INSERT(id, v) ON shop.orders. ";
    const parsed = parseFailure(answer(497, 'ACCESS_DENIED', text), where);
    ok(parsed.kind === 'wait');
    match(
      parsed.error.sentence,
      /user "app" of sink .* may not write to .* Run: GRANT INSERT\(id, v\) ON shop\.orders TO `app`;/,
    );
  });

  it('L1: a code that is not in the table leaves open what is stored, and blames no row', () => {
    for (const code of [-1, 0, 5, 99_999]) {
      const parsed = parseFailure(answer(code, 'NEVER_SEEN'), where);
      ok(parsed.kind === 'wait');
      deepEqual([parsed.error.code, parsed.stored], ['MR_SINK_FAILED', 'unknown']);
    }
  });

  for (const text of [
    'Too many partitions for single INSERT block (more than 100). The limit is controlled by',
    'Too many partitions for a single INSERT block (150 partitions, limit is 100). The limit is controlled by',
  ]) {
    it(`too many partitions are told with the mend, not waited for: ${text.slice(0, 45)}`, () => {
      const parsed = parseFailure(answer(252, 'TOO_MANY_PARTS', text), where);
      ok(parsed.kind === 'wait');
      deepEqual([parsed.error.code, parsed.stored], ['MR_SINK_TABLE_UNFIT', 'nothing']);
      match(parsed.error.sentence, /more than 100 partitions\. Set max_partitions_per_insert_block/);
    });
  }

  for (const [code, stored] of [
    ['ECONNREFUSED', 'nothing'],
    ['ENOTFOUND', 'nothing'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'nothing'],
    ['ECONNRESET', 'unknown'],
    ['EPIPE', 'unknown'],
    ['ETIMEDOUT', 'unknown'],
  ] as const) {
    it(`${code} is the way there, and ${stored === 'nothing' ? 'nothing is stored' : 'leaves open what is stored'}`, () => {
      const parsed = parseFailure(Object.assign(new Error('no'), { code }), where);
      ok(parsed.kind === 'wait');
      deepEqual([parsed.error.code, parsed.stored], ['MR_SINK_UNREACHABLE', stored]);
    });
  }

  it('anything else that is no answer of ClickHouse is the way to it, with an open end', () => {
    const parsed = parseFailure(new Error('Timeout error.'), where);
    ok(parsed.kind === 'wait');
    deepEqual([parsed.error.code, parsed.stored], ['MR_SINK_UNREACHABLE', 'unknown']);
  });

  it('what is no fault of a row is told in the same words, whatever the twins are called', () => {
    const told = ['a1', 'b2'].map((made) => {
      const names = new Map([[`shop.millrace_check_${made}_0`, 'shop.orders']]);
      const message = `Table shop.millrace_check_${made}_0 has no column x (query_id: ${made})`;
      const parsed = parseExamination(answer(16, 'NO_SUCH_COLUMN_IN_TABLE', message), where, names);
      return parsed.kind === 'wait' ? parsed.error.sentence : parsed.problem;
    });
    equal(told[0], told[1]);
    match(told[0] ?? '', /shop\.orders has no column x/);
  });

  it('what a twin says names the table and the view that it stands for', () => {
    const names = new Map([
      ['shop.millrace_check_1_1', 'shop.daily'],
      ['shop.millrace_check_1_10', 'shop.weekly'],
    ]);
    const text = 'no 5: while pushing to view shop.millrace_check_1_10';
    const parsed = parseExamination(answer(6, 'CANNOT_PARSE_TEXT', text), where, names);
    ok(parsed.kind === 'rows');
    equal(parsed.problem, 'no 5: while pushing to view shop.weekly (CANNOT_PARSE_TEXT 6)');
  });

  for (const [text, kind] of [
    ['Dictionary (`shop.names`) not found: while executing dictGet', 'wait'],
    ['Dictionary (`shop.names`) not found: while executing dictGet: while pushing to view shop.daily', 'wait'],
    ["external dictionary 'shop.names' is still loading", 'wait'],
    ["external user defined function 'nameOf' not found", 'wait'],
    ["No such attribute 'name'", 'wait'],
    ['Function dictGetString dictionary attribute has different type UInt64 expected String', 'wait'],
    ['Invalid key: Dictionary (`shop.names`) not found', 'rows'],
    ["Cannot parse 'No such attribute'", 'rows'],
  ] as const) {
    it(`L2: a doubtful error ${kind === 'wait' ? 'of what is missing blames no row' : 'that quotes a row may be its fault'}: ${text}`, () => {
      const parsed = parseExamination(answer(36, 'BAD_ARGUMENTS', text), where, new Map());
      equal(parsed.kind, kind);
      if (parsed.kind === 'wait') deepEqual([parsed.error.code, parsed.stored], ['MR_SINK_TABLE_UNFIT', 'nothing']);
    });
  }

  it('a view that fails at something else than a row stops the examination with its name', () => {
    const text = 'no table: while pushing to view shop.twin';
    const parsed = parseExamination(answer(47, 'UNKNOWN_IDENTIFIER', text), where, new Map());
    ok(parsed.kind === 'wait');
    deepEqual([parsed.error.code, parsed.stored], ['MR_SINK_ROWS_UNKNOWN', 'nothing']);
  });
});
