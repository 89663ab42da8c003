import { equal } from 'node:assert/strict';
import { stableLoadText, stableText } from '../../connectors/stable-text.ts';

/** What a server said twice of one trouble. */
const pairs: readonly (readonly [what: string, once: string, again: string])[] = [
  [
    'a table that a server names anew',
    'Table shop.`.inner_id.61f0c404-5cb3-11e7-907b-a6006ad3dba0` is dropped',
    'Table shop.`.inner_id.71f0c404-5cb3-11e7-907b-a6006ad3dba1` is dropped',
  ],
  ['the id of a query', "Query (query_id: 'a1b2') was cancelled", "Query (query_id: 'c3d4') was cancelled"],
  [
    'amounts of memory',
    'Memory limit exceeded: would use 1.05 GiB (attempt to allocate chunk of 4194304 bytes)',
    'Memory limit exceeded: would use 1.17 GiB (attempt to allocate chunk of 1048576 bytes)',
  ],
  [
    'times',
    'Timeout exceeded: elapsed 30012.5 ms, at 2026-01-31 10:00:00.5',
    'Timeout exceeded: elapsed 30007.1 ms, at 2026-01-31 10:00:07',
  ],
  [
    'an amount of bytes in another unit',
    'would use 980.00 KiB, current RSS: 12.63 GiB, 456.00 B free',
    'would use 1.00 MiB, current RSS: 990.12 MiB, 17 bytes free',
  ],
  ['a transaction of PostgreSQL', 'could not serialize access (xid 124)', 'could not serialize access (xid 1031)'],
  [
    'the name of a part',
    'Part 202601_1_5_2 is broken, all_3_3_0_7 too',
    'Part 202602_4_5_1 is broken, all_9_9_0_8 too',
  ],
  [
    'a process',
    'Process 17 waits for ShareLock on transaction 801; blocked by process 18',
    'Process 21 waits for ShareLock on transaction 944; blocked by process 5',
  ],
  [
    'a temporary schema',
    'relation "pg_temp_3.millrace_rows" does not exist',
    'relation "pg_temp_14.millrace_rows" does not exist',
  ],
  ['the own end of a connection', 'read ECONNRESET from 10.0.0.7:53211', 'read ECONNRESET from 10.0.0.7:40009'],
];

describe('the text of a trouble', () => {
  for (const [what, once, again] of pairs) {
    it(`is the same each time, whatever is passing in it: ${what}`, () => {
      equal(stableText(once), stableText(again));
      equal(stableText(once) === once, false);
    });
  }

  for (const text of [
    'connect ECONNREFUSED 127.0.0.1:8123',
    'getaddrinfo ENOTFOUND ch.shop.svc',
    'There is no column v2 in table shop.orders_2026 (NO_SUCH_COLUMN_IN_TABLE 16)',
    'password authentication failed for user "app"',
    'column "id" is of type bigint but expression is of type text (42804)',
    "Type mismatch: expected 'UInt32', got 'UInt64'",
  ]) {
    it(`stays as it is where nothing passes: ${text}`, () => equal(stableText(text), text));
  }

  it('reads a long value once', () => {
    const long = '0A'.repeat(500_000);
    equal(stableText(long), long);
  });

  it('says what OpenSSL means when the server does not speak TLS', () => {
    const said =
      'write EPROTO 404D66F08E7F0000:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/openssl/openssl/ssl/record/methods/tlsany_meth.c:77:\n';
    equal(stableText(said).trim(), 'the server does not speak TLS there');
  });
});

/** Texts of ClickHouse; those of the errors that can be provoked are in ./clickhouse/stable-failures.test.ts. */
const loads: readonly (readonly [once: string, again: string])[] = [
  [
    'Too many parts (301 with average size of 980.00 KiB) in table shop.orders. Merges are processing significantly slower than inserts',
    'Too many parts (302 with average size of 1.00 MiB) in table shop.orders. Merges are processing significantly slower than inserts',
  ],
  [
    'Too many simultaneous queries. Maximum: 100, current: 101',
    'Too many simultaneous queries. Maximum: 100, current: 130',
  ],
  [
    'Quota for user `app` for 3600s has been exceeded: queries = 101/100. Interval will end at 2026-01-31 11:00:00',
    'Quota for user `app` for 3600s has been exceeded: queries = 107/100. Interval will end at 2026-01-31 12:00:00',
  ],
  [
    'Too many pending bytes for distributed: 1073741900, limit is 1073741824',
    'Too many pending bytes for distributed: 1073749999, limit is 1073741824',
  ],
  [
    'CPU is overloaded, CPU is waiting for execution way more than executing, ratio of wait time (OSCPUWaitMicroseconds metric) to busy time (OSCPUVirtualTimeMicroseconds metric) is 12.3. Min ratio for error 2',
    'CPU is overloaded, CPU is waiting for execution way more than executing, ratio of wait time (OSCPUWaitMicroseconds metric) to busy time (OSCPUVirtualTimeMicroseconds metric) is 17.9. Min ratio for error 2',
  ],
];

describe('what a server says about its load', () => {
  for (const [once, again] of loads) {
    it(`is the same each time: ${once}`, () => equal(stableLoadText(once), stableLoadText(again)));
  }

  for (const text of [
    'Too many simultaneous queries for all users, maximum: 100',
    'Distributed inserts wait: limit is 1073741824',
    'Cannot write to file /var/lib/clickhouse/7/tmp, errno: 28, strerror: No space left on device',
    'Replica ch-0-1.shop.svc:9440 (10.0.0.7:9440) is behind, settings `insert_quorum` of version 25.8.2',
  ]) {
    it(`keeps limits, codes, names, versions and addresses: ${text}`, () => equal(stableLoadText(text), text));
  }
});
