import { deepEqual } from 'node:assert/strict';
import { piecesOf } from '../../../connectors/clickhouse/definition.ts';

describe('the definition of a ClickHouse table', () => {
  it('has columns, with their types and TTLs, and projections, whatever names and texts hold', () => {
    const { columns, projections } = piecesOf({
      engineFull: '',
      createQuery:
        "CREATE TABLE shop.`or(ders` (`id` UInt64, `a,``b` Map(String, Array(UInt8)) DEFAULT map(')', [1]) CODEC(ZSTD(1)), " +
        "`TTL` Nullable(String) COMMENT ', TTL x' TTL toDate(`TTL`) + toIntervalDay(1), INDEX i lower(x) TYPE set(10) GRANULARITY 1, " +
        "CONSTRAINT c CHECK id != ')', PROJECTION p (SELECT max(id), ')' GROUP BY id), PROJECTION `q` INDEX id TYPE basic) ENGINE = MergeTree ORDER BY (id)",
    });
    deepEqual(columns, [
      { name: '`id`', type: 'UInt64', ttl: undefined },
      { name: '`a,``b`', type: 'Map(String, Array(UInt8))', ttl: undefined },
      { name: '`TTL`', type: 'Nullable(String)', ttl: 'toDate(`TTL`) + toIntervalDay(1)' },
    ]);
    deepEqual(projections, [
      { name: 'p', body: "SELECT max(id), ')' GROUP BY id" },
      { name: '`q`', body: 'INDEX id TYPE basic' },
    ]);
  });

  for (const [engineFull, expected] of [
    ['MergeTree ORDER BY id', { family: 'MergeTree', arguments: [], clauses: 'ORDER BY id', settings: [] }],
    ['MergeTree', { family: 'MergeTree', arguments: [], clauses: '', settings: [] }],
    [
      "ReplicatedReplacingMergeTree('/tables/{uuid}', '{replica}', v, `is,deleted`) PARTITION BY (a, b) ORDER BY id TTL d + toIntervalDay(1) SETTINGS index_granularity = 8192, storage_policy = 'a, b'",
      {
        family: 'ReplacingMergeTree',
        arguments: ['v', '`is,deleted`'],
        clauses: 'PARTITION BY (a, b) ORDER BY id TTL d + toIntervalDay(1)',
        settings: ['index_granularity = 8192', "storage_policy = 'a, b'"],
      },
    ],
    [
      'ReplicatedCollapsingMergeTree(sign) ORDER BY id',
      { family: 'CollapsingMergeTree', arguments: ['sign'], clauses: 'ORDER BY id', settings: [] },
    ],
    [
      "SharedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') ORDER BY tuple() SETTINGS index_granularity = 8192",
      { family: 'MergeTree', arguments: [], clauses: 'ORDER BY tuple()', settings: ['index_granularity = 8192'] },
    ],
    [
      "GraphiteMergeTree('rollup') ORDER BY path",
      { family: 'GraphiteMergeTree', arguments: ["'rollup'"], clauses: 'ORDER BY path', settings: [] },
    ],
    [
      'CollapsingMergeTree(d, (id, d), 8192, s)',
      { family: 'CollapsingMergeTree', arguments: ['d', '(id, d)', '8192', 's'], clauses: '', settings: [] },
    ],
  ] as const) {
    it(`has an engine, without where replicas find each other: ${engineFull}`, () => {
      deepEqual(piecesOf({ createQuery: '', engineFull }).engine, expected);
    });
  }

  for (const [ttl, expected] of [
    ['d + toIntervalDay(1)', ['d + toIntervalDay(1)']],
    ["d + toIntervalDay(1) TO VOLUME 'cold, SETTINGS'", ['d + toIntervalDay(1)']],
    [
      'd + toIntervalDay(1) WHERE f(a, b) IN (1, 2), e RECOMPRESS CODEC(ZSTD(1), LZ4)',
      ['d + toIntervalDay(1)', 'f(a, b) IN (1, 2)', 'e'],
    ],
    ['d GROUP BY k, l SET n = sum(n), m = max(if(m = 1, m, 2)), e', ['d', 'e']],
    ['d GROUP BY k, l SET n = sum(n), e GROUP BY k SET n = any(n)', ['d', 'e']],
  ] as const) {
    it(`has the expressions of its TTL: ${ttl}`, () => {
      const engineFull = `MergeTree ORDER BY (k, l) TTL ${ttl} SETTINGS index_granularity = 8192`;
      deepEqual(piecesOf({ createQuery: '', engineFull }).ttls, expected);
    });
  }
});
