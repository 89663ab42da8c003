/**
 * A table's twin: it accepts an insert as the table does, with everything that an insert triggers.
 *
 * Y1  The twin has the table's columns with their defaults, its constraints and engine Null, and computes what the table
 *     computes (`./computed.ts`); each view has a twin that reads from the twin of its source and writes to the twin of
 *     its target. It stores nothing.
 * Y2  A view, or something computed, whose twin cannot be created is left out and named: what it refuses is not found in
 *     advance.
 * Y3  A copy has the engine of the table instead, so that it is the engine that decides. It stores rows, remembers no
 *     insert, and takes many: it is there for one examination.
 *
 * Pure: says what to create, in which order; `./twins.ts` does it.
 */
import type { InsertBehaviour } from './behaviour.ts';
import { computedBy } from './computed.ts';
import { piecesOf } from './definition.ts';
import type { Reached } from './reach.ts';
import { readingFrom } from './rewrite.ts';
import { quoted, quotedName } from './window.ts';

/** Y1 or Y3. */
export type TwinKind = 'twin' | 'copy';

export interface TwinStep {
  readonly name: string;
  readonly statement: string;
  /** What is left out when this step fails; undefined: without this step there is no twin. */
  readonly optional: string | undefined;
}

export interface TwinPlan {
  readonly kind: TwinKind;
  /** Quoted name of the table that receives the rows. */
  readonly table: string;
  readonly steps: readonly TwinStep[];
  /** Views that cannot have a twin, with the reason. */
  readonly leftOut: readonly string[];
  /** Names of twins, and of their originals: for messages. */
  readonly names: ReadonlyMap<string, string>;
}

/** `prefix`: of the names of everything that is created, in the database of the table. */
export function planTwin(reached: Reached, kind: TwinKind, behaviour: InsertBehaviour, prefix: string): TwinPlan {
  const steps: TwinStep[] = [];
  const leftOut: string[] = [];
  const names = new Map<string, string>();
  const made = new Map<string, string>();
  const { database } = reached;
  const add = (optional: string | undefined, standsFor: string, statement: (name: string) => string) => {
    const name = `${prefix}_${steps.length}`;
    names.set(`${database}.${name}`, standsFor);
    steps.push({ name, statement: statement(quotedName({ database, name })), optional });
    return name;
  };
  const compute = (table: Reached, twin: string) => {
    const from = `FROM ${quotedName({ database, name: twin })} AS ${quoted(table.name)}`;
    for (const { what, before, after } of computedBy(table, behaviour)) {
      const shown = `${what} of ${table.database}.${table.name}`;
      add(shown, shown, (name) => `CREATE MATERIALIZED VIEW ${name} ENGINE = Null AS ${before} ${from} ${after}`);
    }
  };
  const twinOf = (table: Reached, optional: string | undefined): string => {
    const known = made.get(quotedName(table));
    if (known !== undefined) return known;
    const shown = `${table.database}.${table.name}`;
    const engine = kind === 'copy' ? storingEngine(table) : undefined;
    const twin = add(
      optional,
      shown,
      (name) => `CREATE TABLE ${name} AS ${quotedName(table)} ENGINE = ${engine ?? 'Null'}`,
    );
    made.set(quotedName(table), twin);
    if (engine === undefined) compute(table, twin);
    for (const view of table.views) {
      const shownView = `${view.database}.${view.name}`;
      const select = readingFrom(view.select, table, { database, name: twin });
      if (select === undefined || view.target === undefined) {
        leftOut.push(shownView);
        continue;
      }
      const target = quotedName({ database, name: twinOf(view.target, shownView) });
      add(shownView, shownView, (name) => `CREATE MATERIALIZED VIEW ${name} TO ${target} AS ${select}`);
    }
    return twin;
  };
  const table = quotedName({ database, name: twinOf(reached, undefined) });
  return { kind, table, steps, leftOut, names };
}

/** Y3. */
const settingsOfCopy: Readonly<Record<string, number>> = {
  non_replicated_deduplication_window: 0,
  replicated_deduplication_window: 0,
  parts_to_delay_insert: 1_000_000,
  parts_to_throw_insert: 1_000_000,
};

/** Undefined: the table stores nothing itself. */
function storingEngine(table: Reached): string | undefined {
  const { family, arguments: given, clauses, settings } = piecesOf(table).engine;
  if (!family.endsWith('MergeTree')) return undefined;
  const others = settings.filter((setting) => !Object.hasOwn(settingsOfCopy, setting.split(/\s*=/)[0] ?? ''));
  const own = Object.entries(settingsOfCopy).map(([name, value]) => `${name} = ${value}`);
  return `${family}(${given.join(', ')}) ${clauses} SETTINGS ${[...others, ...own].join(', ')}`;
}
