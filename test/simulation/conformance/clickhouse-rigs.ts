/** The local ClickHouse endpoint with the connector in front of it, and the model of both. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { sink } from '../../../connectors/clickhouse/index.ts';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import type { Sink } from '../../../connectors/connector.ts';
import { startClickHouse, type ClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';
import type { LoggedSinkSlot } from '../../../stream/sink-port.ts';
import { sinkContext } from '../../connectors/sink-context.ts';
import { BlockSlot, BlockTable } from '../outside/clickhouse.ts';
import { openWay, type RealWay } from './real-way.ts';
import { ModelSite } from './model-site.ts';
import type { SinkBench, SinkRig } from './sink-bench.ts';

export interface ClickHouseBench extends SinkBench<LoggedSinkSlot> {
  /** Rows of the table that the view fills. */
  viewed(): Promise<readonly string[]>;
  /** Inserts of somebody else, of one row and one partition each. */
  fill(inserts: number): Promise<void>;
  /** The insert is carried out, and its answer is lost. */
  losingInsert<T>(ask: () => Promise<T>): Promise<T>;
  /** The view cannot be filled meanwhile. */
  failingView<T>(ask: () => Promise<T>): Promise<T>;
}

export interface TableShape {
  /** 1: none. */
  readonly partitions: number;
  readonly hasView: boolean;
}

export type ClickHouseRig = SinkRig<ClickHouseBench, TableShape>;

/** The least that the connector accepts. */
export const places = 100;

export function realClickHouse(): ClickHouseRig {
  let dir: string;
  let clickhouse: ClickHouse;
  let client: ClickHouseClient;
  let way: RealWay;
  let tables = 0;
  let fills = 0;
  const run = (query: string) => client.command({ query });
  const textsOf = async (table: string) => {
    const query = `SELECT concat(id, ' ', kind, ' ', plan) AS text FROM ${table}`;
    const found = await (await client.query({ query, format: 'JSONEachRow' })).json<{ text: string }>();
    return found.map(({ text }) => text).sort();
  };

  const viewOf = (table: string) => `SELECT id, kind, plan FROM ${table}`;

  async function create(table: string, { partitions, hasView }: TableShape): Promise<void> {
    const columns = 'id String, kind String, plan String, "refusedBy" String';
    const settings = `SETTINGS non_replicated_deduplication_window = ${places}`;
    const lane = "arrayStringConcat(arrayPopBack(splitByChar('/', id)), '/')";
    const by = partitions === 1 ? '' : `PARTITION BY CRC32(${lane}) % ${partitions}`;
    // A constraint is looked at for a whole block; a sorting key is computed for one partition after the other.
    const order = `toUInt8(if(refusedBy = '${table}', 'x', '0'))`;
    await run(`CREATE TABLE ${table} (${columns}) ENGINE = MergeTree ${by} ORDER BY ${order} ${settings}`);
    if (!hasView) return;
    await run(`CREATE TABLE ${table}_to (id String, kind String, plan String)
      ENGINE = MergeTree ${by} ORDER BY id ${settings}`);
    await run(`CREATE MATERIALIZED VIEW ${table}_view TO ${table}_to AS ${viewOf(table)}`);
  }

  return {
    name: 'ClickHouse and its connector',
    async open() {
      dir = await mkdtemp(join(tmpdir(), 'millrace-conformance-'));
      const port = await freePort();
      clickhouse = await startClickHouse({ dir, port });
      client = createClient({ url: clickhouse.url });
      way = await openWay(port);
    },
    async run(shape, question) {
      const table = `orders${++tables}`;
      await create(table, shape);
      const sinks: Sink[] = [];
      const config = clickhouseSinkSpec.parse({
        url: `http://127.0.0.1:${way.port}`,
        table,
        settings: [{ name: 'max_partitions_per_insert_block', value: '3' }],
      });
      const bench: ClickHouseBench = {
        table,
        async open(slot = 0, stage = 'sink-one') {
          const connected = await sink.connect(config, sinkContext());
          sinks.push(connected);
          const opened = await connected.open({ pipelineUid: 'uid', stage, slot });
          if (opened.positionIn !== 'commitLog') throw new TypeError('ClickHouse keeps no position');
          return opened;
        },
        rows: () => textsOf(table),
        viewed: () => textsOf(`${table}_to`),
        async fill(inserts) {
          const blocks = 'max_block_size = 1, min_insert_block_size_rows = 1, max_insert_threads = 1';
          const known = `deduplicate_insert_select = 'force_enable', insert_deduplication_token = 'fill ${++fills}'`;
          await run(`INSERT INTO ${table}
            SELECT concat('x/', toString(number)), 'filler', '', '' FROM numbers(${inserts}) SETTINGS ${blocks}, ${known}`);
        },
        on: (what, ask) => way.on(what, ask),
        losingInsert: (ask) => way.losingAnswerTo('INSERT', ask),
        async failingView(ask) {
          await run(`ALTER TABLE ${table}_view MODIFY QUERY ${viewOf(table)} WHERE throwIf(1) = 0`);
          try {
            return await ask();
          } finally {
            await run(`ALTER TABLE ${table}_view MODIFY QUERY ${viewOf(table)}`);
          }
        },
      };
      try {
        await question(bench);
      } finally {
        await Promise.all(sinks.map((one) => one.close()));
      }
    },
    async close() {
      await way.close();
      await client.close();
      await clickhouse.stop();
      await rm(dir, { recursive: true });
    },
  };
}

export function modelledClickHouse(): ClickHouseRig {
  return {
    name: 'the model',
    open: () => Promise.resolve(),
    async run({ partitions, hasView }, question) {
      const site = new ModelSite();
      const table = new BlockTable('orders', { window: { places, mostPartitions: partitions }, hasView }, site.remote);
      let fillers = 0;
      await site.answer(
        question({
          table: 'orders',
          open: () => Promise.resolve(new BlockSlot(table, site.pod(), site.keeper)),
          rows: () => Promise.resolve(site.rows),
          viewed: () => Promise.resolve(table.viewed.map(({ text }) => text).sort()),
          fill(inserts) {
            for (let n = 0; n < inserts; n++) {
              const row = { id: `x/${n}`, text: `x/${n} filler `, refusedBy: '' };
              table.insert({ token: `filler ${fillers++}`, rows: [row], keeper: site.keeper }, { isLate: false });
            }
            return Promise.resolve();
          },
          on: (way, ask) => site.on(way, ask),
          losingInsert: (ask) => site.losingAnswerTo('insert', ask),
          failingView: (ask) => site.dropping('view', 'arrived', ask),
        }),
      );
    },
    close: () => Promise.resolve(),
  };
}
