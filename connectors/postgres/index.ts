/**
 * The PostgreSQL sink: its table is read when it connects and when a slot begins, and each slot writes by itself
 * (`./slot.ts`).
 */
import type pg from 'pg';
import { milliseconds } from '../../model/quantities.ts';
import type { ConnectorContext, Sink, SinkConnector, SinkSlot, SinkSlotId } from '../connector.ts';
import { classified, type PostgresFailureContext } from './failures.ts';
import { Positions } from './positions.ts';
import { Session, sessionName } from './session.ts';
import { PostgresSlot, type Place } from './slot.ts';
import type { PostgresSinkConfig } from './spec.ts';
import { copyDefaultsVersion, openTable, tableAsIn, type Table } from './table.ts';
import { beginText, inTransaction } from './transaction.ts';

/**
 * `copyDefaultsSince`: the version of PostgreSQL whose COPY has a marker for a default; a test simulates an older
 * one.
 */
export function postgresSink(copyDefaultsSince = copyDefaultsVersion): SinkConnector<PostgresSinkConfig> {
  return {
    async connect(config, context) {
      const where = whereOf(config, context);
      const place: Place = {
        config,
        where,
        pipeline: context.pipeline.name,
        positions: new Positions(config.schema, where),
        begin: beginText(milliseconds(config.statementTimeout)),
        copyDefaultsSince,
      };
      const session = new Session(config, sessionName(place.pipeline, context.name));
      try {
        await session.use((client) => readTable(client, place));
        return new PostgresSink(place);
      } catch (error) {
        throw classified(error, place.where);
      } finally {
        await session.close();
      }
    },
  };
}

export const sink = postgresSink();

function readTable(client: pg.Client, { config, where, positions, begin, copyDefaultsSince }: Place): Promise<Table> {
  return inTransaction(client, begin, async () => {
    const opened = await openTable(client, config, where, copyDefaultsSince);
    await positions.ensureTable(client);
    return opened;
  });
}

class PostgresSink implements Sink {
  readonly #place: Place;
  readonly #slots = new Set<PostgresSlot>();
  /** By slot: the table's text at its last batch, which is known to be finished. */
  readonly #finished = new Map<string, string>();

  constructor(place: Place) {
    this.#place = place;
  }

  /** X6 of `./slot.ts`. A batch of the table's earlier form may be stored and not finished. */
  async open(id: SinkSlotId): Promise<SinkSlot> {
    const { config, where, pipeline, positions, begin, copyDefaultsSince } = this.#place;
    const name = `${id.pipelineUid}.${id.stage}.${id.slot}`;
    const session = new Session(config, sessionName(pipeline, where.sink, id));
    try {
      const now = await session.use((client) => readTable(client, this.#place));
      const last = await session.use((client) => inTransaction(client, begin, () => positions.shapeOfLast(client, id)));
      const isOver = last === null || last === now.shape || last === this.#finished.get(name);
      const earlier = isOver ? undefined : tableAsIn(last, config, copyDefaultsSince);
      const slot: PostgresSlot = new PostgresSlot(id, this.#place, session, earlier ?? now, {
        isEarlier: earlier !== undefined,
        onFinished: (shape) => void this.#finished.set(name, shape),
        onClosed: () => void this.#slots.delete(slot),
      });
      this.#slots.add(slot);
      return slot;
    } catch (error) {
      await session.close();
      throw classified(error, where);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#slots].map((slot) => slot.close()));
  }
}

function whereOf(config: PostgresSinkConfig, { name, identity }: ConnectorContext): PostgresFailureContext {
  const { schema, database } = config;
  const table = `${schema}.${config.table}`;
  return { sink: name, identity, server: `${config.host}:${config.port}`, database, schema, table };
}
