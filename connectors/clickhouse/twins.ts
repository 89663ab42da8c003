/**
 * The twins and copies of one slot's table: made of the tables as they are, and taken away.
 *
 * H1  They are dropped when the slot is closed, a copy right after its use; those that a killed process left behind are
 *     dropped when the next one opens the slot.
 * H2  The one that takes the rows goes first, and whatever stands behind it afterwards. An owner that was frozen may drop
 *     twins of a newer one: that finds no table then, and never one whose views are gone, which would take every row.
 * H3  Only a missing right, or what is gone already, is in order where something is dropped. All else is told.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ClickHouseError, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import type { Logger } from 'pino';
import { z } from 'zod';
import { mr, problemOf, type MillraceError } from '../../model/errors.ts';
import { cut, shortened } from '../../model/text.ts';
import type { SinkSlotId } from '../connector.ts';
import { stableText } from '../stable-text.ts';
import { rowsOf } from './ask.ts';
import { behaviourOf, permissionsOf } from './behaviour.ts';
import { define } from './ddl.ts';
import type { SinkFailureContext } from '../failure-context.ts';
import { isOfServer, meaningOf, parseFailure } from './failures.ts';
import { reachOf, type Reached } from './reach.ts';
import { planTwin, type TwinKind, type TwinPlan } from './twin.ts';
import { quotedName } from './window.ts';

export interface TwinsOptions {
  readonly client: ClickHouseClient;
  readonly database: string;
  readonly name: string;
  /** Of the inserts into them. */
  readonly settings: ClickHouseSettings;
  readonly where: SinkFailureContext;
  readonly slot: SinkSlotId;
  readonly log: Logger;
}

export interface Twin {
  readonly plan: TwinPlan;
  /** What it was made from. */
  readonly reached: Reached;
}

export type Making = { readonly kind: 'made' } | { readonly kind: 'denied'; readonly error: MillraceError };

const nameRow = z.object({ name: z.string() });

export class Twins {
  readonly #options: TwinsOptions;
  readonly #base: string;
  #current: Twin | undefined;
  #made: string[] = [];
  #hasCleaned = false;
  #makes = 0;

  constructor(options: TwinsOptions) {
    this.#options = options;
    const { pipelineUid, stage, slot } = options.slot;
    const digest = createHash('sha256').update(`${pipelineUid}/${stage}/${slot}`).digest('hex').slice(0, 12);
    this.#base = `millrace_check_${digest}_`;
  }

  get current(): Twin | undefined {
    return this.#current;
  }

  /** H1. Without the right to drop them, what is left behind is looked for again before the next one is made. */
  async open(): Promise<void> {
    try {
      await this.#clean();
    } catch (error) {
      if (!isInOrder(error)) throw error;
      this.#options.log.debug({ err: error }, 'what an earlier process left behind may not be dropped');
    }
  }

  /** Builds it from the tables as they are now, in the place of the one before. */
  async make(kind: TwinKind): Promise<Making> {
    const { client, database, name, where, log, settings } = this.#options;
    await this.drop();
    try {
      if (!this.#hasCleaned) await this.#clean();
      const reached = await reachOf(client, { database, name });
      const { table, sink, server } = where;
      if (reached === undefined) throw mr('MR_SINK_TABLE_MISSING', { table, sink, server });
      const behaviour = await behaviourOf(client, settings);
      const prefix = `${this.#base}${randomBytes(3).toString('hex')}${this.#makes++}`;
      const plan = planTwin(reached, kind, behaviour, prefix);
      await this.#carryOut(plan, reached);
      this.#current = { plan, reached };
      return { kind: 'made' };
    } catch (error) {
      await this.drop();
      if (!(error instanceof ClickHouseError)) throw error;
      if (meaningOf(error) !== 'privilege') throw notMade(kind, error, where);
      log.debug({ err: error }, 'a twin of the table is denied');
      return { kind: 'denied', error: cannotTell(where, cut(problemOf(error), 300), grantHint(database)) };
    }
  }

  async #carryOut(plan: TwinPlan, { database }: Reached): Promise<void> {
    const { log } = this.#options;
    const leftOut = [...plan.leftOut];
    for (const { name, statement, optional } of plan.steps) {
      // Also if the answer is lost.
      this.#made.push(quotedName({ database, name }));
      try {
        // In order: each step refers to objects that earlier steps have created.
        await this.#create(statement);
      } catch (error) {
        if (optional === undefined || !(error instanceof ClickHouseError)) throw error;
        leftOut.push(`${optional} (${cut(error.message, 200)})`);
      }
    }
    if (leftOut.length > 0) log.warn({ leftOut }, 'what cannot be examined before an insert');
  }

  /** What is refused for what it is made of is asked for again with what permits that: the table has it already. */
  async #create(statement: string): Promise<void> {
    const { client } = this.#options;
    try {
      await define(client, statement);
    } catch (error) {
      if (!(error instanceof ClickHouseError) || isOfServer(error) || meaningOf(error) === 'privilege') throw error;
      await define(client, statement, await permissionsOf(client));
    }
  }

  async #clean(): Promise<void> {
    const { client, database } = this.#options;
    const query =
      'SELECT name FROM system.tables WHERE database = {database:String} AND startsWith(name, {base:String})';
    const left = await rowsOf(client, nameRow, query, { database, base: this.#base });
    for (const { name } of left.toSorted((a, b) => stepOf(a.name) - stepOf(b.name))) {
      await define(client, dropStatement(quotedName({ database, name })));
    }
    this.#hasCleaned = true;
  }

  async drop(): Promise<void> {
    this.#current = undefined;
    // H2: in the order in which they were made.
    for (const name of this.#made.splice(0)) {
      await define(this.#options.client, dropStatement(name)).catch((error: unknown) => {
        // It is dropped when the next twin is created (H1), or that tells why not.
        this.#hasCleaned = false;
        const { log } = this.#options;
        if (isInOrder(error)) log.debug({ err: error, name }, 'a twin is left behind');
        else log.warn({ err: error, name }, 'a twin is left behind');
      });
    }
  }
}

function notMade(kind: TwinKind, error: ClickHouseError, where: SinkFailureContext): MillraceError {
  const failure = parseFailure(error, where);
  if (isOfServer(error) && failure.kind === 'wait') return failure.error;
  const problem = shortened(stableText(error.message.trim()));
  return cannotTell(where, `a ${kind} of the table to try them against cannot be created: ${problem}`, alterHint);
}

/** What is in the way is in the message. */
export const alterHint =
  'Alter the table so that it takes the batch, or lower batch.maxRecords of the sink; Millrace retries by itself.';

export function cannotTell({ table, sink }: SinkFailureContext, problem: string, hint: string): MillraceError {
  return mr('MR_SINK_ROWS_UNKNOWN', { table, sink, problem, hint });
}

/** H3. */
function isInOrder(error: unknown): boolean {
  const meaning = meaningOf(error);
  return meaning === 'privilege' || meaning === 'missing';
}

/** The steps of a plan are numbered at the end of their names; the first makes the table that takes the rows. */
function stepOf(name: string): number {
  return Number(/_(\d+)$/.exec(name)?.[1] ?? 0);
}

function dropStatement(name: string): string {
  return `DROP TABLE IF EXISTS ${name} SYNC`;
}

function grantHint(database: string): string {
  const rights = 'CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, SELECT, INSERT';
  return `Run: GRANT ${rights} ON ${quotedName({ database, name: '' }).replace('.``', '.*')} TO the user of the sink; Millrace tries rows against a table of its own.`;
}
