import { equal, notEqual, ok } from 'node:assert/strict';
import { ClickHouseError, ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { parseFailure } from '../../../connectors/clickhouse/failures.ts';
import { withTestClickHouse } from './test-clickhouse.ts';

const where = {
  sink: 'warehouse',
  identity: { user: 'user "app"', credentials: 'password' },
  server: 'ch:8123',
  table: 'shop.orders',
};

interface Trouble {
  readonly code: string;
  readonly prepare: readonly string[];
  readonly refused: string;
  /** What passes meanwhile. */
  readonly change: readonly string[];
  readonly refusedAgain: string;
}

const memory = (length: number) =>
  `SELECT groupArray(repeat('x', ${length})) FROM numbers(1000000) SETTINGS max_memory_usage = 1000000`;

const troubles: readonly Trouble[] = [
  {
    code: 'TOO_MANY_PARTS',
    prepare: [
      'CREATE TABLE parts (id UInt64, s String) ENGINE MergeTree ORDER BY id SETTINGS parts_to_throw_insert = 2',
      'SYSTEM STOP MERGES parts',
      "INSERT INTO parts VALUES (1, 'a')",
      "INSERT INTO parts VALUES (2, 'a')",
    ],
    refused: "INSERT INTO parts VALUES (3, 'a')",
    change: [
      'ALTER TABLE parts MODIFY SETTING parts_to_throw_insert = 3',
      'INSERT INTO parts SELECT number, randomPrintableASCII(1000) FROM numbers(10000)',
    ],
    refusedAgain: "INSERT INTO parts VALUES (4, 'a')",
  },
  {
    code: 'TOO_MANY_PARTS',
    prepare: [
      'CREATE TABLE total (id UInt64) ENGINE MergeTree ORDER BY id PARTITION BY id SETTINGS max_parts_in_total = 1',
      'INSERT INTO total VALUES (1)',
    ],
    refused: 'INSERT INTO total VALUES (2)',
    change: ['ALTER TABLE total MODIFY SETTING max_parts_in_total = 2', 'INSERT INTO total VALUES (3)'],
    refusedAgain: 'INSERT INTO total VALUES (4)',
  },
  {
    code: 'TOO_MANY_MUTATIONS',
    prepare: [
      'CREATE TABLE mutated (id UInt64, n Int8) ENGINE MergeTree ORDER BY id SETTINGS number_of_mutations_to_throw = 1',
      'INSERT INTO mutated VALUES (1, 1)',
      'SYSTEM STOP MERGES mutated',
      'ALTER TABLE mutated UPDATE n = 2 WHERE 1 SETTINGS mutations_sync = 0',
    ],
    refused: 'ALTER TABLE mutated UPDATE n = 3 WHERE 1 SETTINGS mutations_sync = 0',
    change: [
      'ALTER TABLE mutated MODIFY SETTING number_of_mutations_to_throw = 2',
      'ALTER TABLE mutated UPDATE n = 3 WHERE 1 SETTINGS mutations_sync = 0',
    ],
    refusedAgain: 'ALTER TABLE mutated UPDATE n = 4 WHERE 1 SETTINGS mutations_sync = 0',
  },
  { code: 'MEMORY_LIMIT_EXCEEDED', prepare: [], refused: memory(1000), change: [], refusedAgain: memory(10) },
];

describe('a server that is busy', () => {
  let client: ClickHouseClient;
  withTestClickHouse((_, { url }) => (client = createClient({ url, log: { level: ClickHouseLogLevel.OFF } })));
  after(() => client.close());

  for (const { code, prepare, refused, change, refusedAgain } of troubles) {
    it(`is reported in the same words while it lasts: ${code} for ${refused}`, async () => {
      for (const query of prepare) await client.command({ query });
      const once = await refusal(refused);
      for (const query of change) await client.command({ query });
      const again = await refusal(refusedAgain);
      equal(once.type, code);
      notEqual(once.message, again.message);
      equal(told(once), told(again));
    });
  }

  async function refusal(query: string): Promise<ClickHouseError> {
    const error = await client.command({ query }).then(
      () => undefined,
      (failure: unknown) => failure,
    );
    ok(error instanceof ClickHouseError, `${query} was not refused: ${String(error)}`);
    return error;
  }
});

function told(error: ClickHouseError): string {
  const parsed = parseFailure(error, where);
  ok(parsed.kind === 'wait');
  return parsed.error.sentence;
}
