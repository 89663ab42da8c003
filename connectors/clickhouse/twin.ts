/**
 * A table's twin: it accepts an insert as the table does, with everything that an insert triggers, and stores nothing.
 *
 * Y1  The twin has the table's columns with their defaults, its constraints and engine Null, and computes the table's
 *     keys; each view has a twin that reads from the twin of its source and writes to the twin of its target.
 * Y2  A view whose twin cannot be created is left out and named: what that view refuses is not found in advance.
 *
 * Pure: says what to create, in which order; `./examiner.ts` does it.
 */
import type { Reached } from './reach.ts';
import { readingFrom } from './rewrite.ts';
import { quoted, quotedName } from './window.ts';

export interface TwinStep {
  readonly name: string;
  readonly statement: string;
  /** The view that is left out when this step fails; undefined: without this step there is no twin. */
  readonly optional: string | undefined;
}

export interface TwinPlan {
  /** Quoted name of the table that receives the rows. */
  readonly table: string;
  readonly steps: readonly TwinStep[];
  /** Views that cannot have a twin, with the reason. */
  readonly leftOut: readonly string[];
  /** Names of twins, and of their originals: for messages. */
  readonly names: ReadonlyMap<string, string>;
}

/** `prefix`: of the names of everything that is created, in the database of the table. */
export function planTwin(reached: Reached, prefix: string): TwinPlan {
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
  const twinOf = (table: Reached, optional: string | undefined): string => {
    const known = made.get(quotedName(table));
    if (known !== undefined) return known;
    const shown = `${table.database}.${table.name}`;
    const twin = add(optional, shown, (name) => `CREATE TABLE ${name} AS ${quotedName(table)} ENGINE = Null`);
    made.set(quotedName(table), twin);
    const from = quotedName({ database, name: twin });
    if (table.keys.length > 0) {
      const keys = `SELECT ignore(${table.keys.join(', ')}) AS keys FROM ${from} AS ${quoted(table.name)}`;
      add(
        `the keys of ${shown}`,
        `the keys of ${shown}`,
        (name) => `CREATE MATERIALIZED VIEW ${name} ENGINE = Null AS ${keys}`,
      );
    }
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
  return { table, steps, leftOut, names };
}
