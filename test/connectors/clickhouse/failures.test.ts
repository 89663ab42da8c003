import { equal, ok } from 'node:assert/strict';
import { ClickHouseError } from '@clickhouse/client';
import { parseFailure } from '../../../connectors/clickhouse/failures.ts';

describe('failures of ClickHouse', () => {
  const where = { sink: 'warehouse', server: 'ch:8123', table: 'shop.orders' };
  const failure = (code: string, type: string) =>
    parseFailure(new ClickHouseError({ message: 'what it says', code, type }), where);

  for (const [code, type, expected] of [
    ['516', 'AUTHENTICATION_FAILED', 'MR_SINK_AUTH_REJECTED'],
    ['497', 'ACCESS_DENIED', 'MR_SINK_AUTH_REJECTED'],
    ['60', 'UNKNOWN_TABLE', 'MR_SINK_TABLE_MISSING'],
    ['81', 'UNKNOWN_DATABASE', 'MR_SINK_TABLE_MISSING'],
    ['16', 'NO_SUCH_COLUMN_IN_TABLE', 'MR_SINK_TABLE_UNFIT'],
    ['115', 'UNKNOWN_SETTING', 'MR_SINK_TABLE_UNFIT'],
    ['202', 'TOO_MANY_SIMULTANEOUS_QUERIES', 'MR_SINK_BUSY'],
    ['241', 'MEMORY_LIMIT_EXCEEDED', 'MR_SINK_BUSY'],
    ['252', 'TOO_MANY_PARTS', 'MR_SINK_BUSY'],
    ['159', 'TIMEOUT_EXCEEDED', 'MR_SINK_BUSY'],
    ['243', 'NOT_ENOUGH_SPACE', 'MR_SINK_BUSY'],
    ['210', 'NETWORK_ERROR', 'MR_SINK_UNREACHABLE'],
    ['99999', 'NEVER_SEEN', 'MR_SINK_BUSY'],
  ] as const) {
    it(`${type} is ${expected}`, () => {
      const parsed = failure(code, type);
      ok(parsed.kind === 'wait');
      equal(parsed.error.code, expected);
      equal(parsed.error.handling, 'retry');
    });
  }

  for (const [code, type] of [
    ['27', 'CANNOT_PARSE_INPUT_ASSERTION_FAILED'],
    ['38', 'CANNOT_PARSE_DATE'],
    ['117', 'INCORRECT_DATA'],
    ['469', 'VIOLATED_CONSTRAINT'],
  ] as const) {
    it(`${type} is the fault of a row`, () => {
      equal(failure(code, type).kind, 'rows');
    });
  }

  it('anything that is no answer of ClickHouse is the way to it', () => {
    const parsed = parseFailure(new Error('Timeout error.'), where);
    ok(parsed.kind === 'wait');
    equal(parsed.error.code, 'MR_SINK_UNREACHABLE');
  });
});
