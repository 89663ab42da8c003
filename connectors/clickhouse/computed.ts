/**
 * What a table of the MergeTree family computes of the rows of an insert, beside its columns and constraints: all of it
 * can refuse a row. Pure.
 *
 * U1  Keys, skip indexes, TTLs, projections, and what the engine checks while it merges the rows of the insert.
 * U2  No more than that is computed: what settings switch off, and what a projection computes when it is read, is not. The
 *     table takes such rows.
 */
import type { InsertBehaviour } from './behaviour.ts';
import { piecesOf, type Definition, type Pieces } from './definition.ts';
import { find, isWord, tokensOf } from './tokens.ts';

/** One SELECT, in two pieces: FROM goes between them. */
export interface Computed {
  /** For messages: `the TTL`. */
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

export function computedBy(table: Definition, behaviour: InsertBehaviour): readonly Computed[] {
  const pieces = piecesOf(table);
  if (!pieces.engine.family.endsWith('MergeTree')) return [];
  const keys = [table.partitionKey, table.sortingKey, table.samplingKey].filter((key) => key !== '');
  const indexes = behaviour.buildsIndexes
    ? table.indexes.filter(({ name }) => !behaviour.withoutIndexes.includes(name))
    : [];
  return [
    ...(keys.length === 0 ? [] : [expression('the keys', keys.join(', '))]),
    ...indexes.flatMap(({ name, type, expression: of }) => [
      expression(`the index ${name}`, of),
      ...dimensions(`the index ${name}`, type, of),
    ]),
    ...pieces.ttls.map((ttl) => expression('the TTL', ttl)),
    ...pieces.columns.flatMap(({ name, ttl }) =>
      ttl === undefined ? [] : [expression(`the TTL of column ${name}`, ttl)],
    ),
    ...pieces.projections.map(({ name, body }) => projection(`the projection ${name}`, body)),
    ...(behaviour.isMerging ? merging(pieces, table.sortingKey) : []),
  ];
}

function expression(what: string, of: string): Computed {
  return { what, before: `SELECT ignore(${of}) AS millrace_ignored`, after: '' };
}

function check(what: string, fails: string, says: string): Computed {
  return expression(what, `throwIf(${fails}, '${says}')`);
}

/** `vector_similarity('hnsw', 'L2Distance', 3)`: all arrays have the length that is in it. */
function dimensions(what: string, type: string, of: string): readonly Computed[] {
  const length = /^vector_similarity\('[^']*', '[^']*', ([0-9]+)/.exec(type)?.[1];
  return length === undefined
    ? []
    : [check(what, `length(${of}) != ${length}`, `Incorrect data: the index takes arrays of ${length} elements`)];
}

/**
 * `WITH … SELECT … GROUP BY … ORDER BY …` without FROM, or `INDEX … TYPE …`. Of a projection that groups, keys and states
 * are stored; of another one, columns in an order. What is computed of these is computed when it is read.
 */
function projection(what: string, body: string): Computed {
  const index = /^INDEX\s([\s\S]*)\sTYPE\s/i.exec(body)?.[1];
  if (index !== undefined) return expression(what, index);
  const tokens = tokensOf(body);
  // Where a row is in its part: of what is not stored there is none.
  const texts = tokens.map(({ kind, name, text }) => (kind === 'name' && name === '_part_offset' ? '0' : text));
  const textOf = (from: number, to?: number) => texts.slice(from, to).join('').trim();
  const wordAt = (word: string) => find(tokens, (token) => isWord(token, word));
  const select = wordAt('SELECT');
  const group = wordAt('GROUP');
  const order = wordAt('ORDER');
  if (order !== -1 && group === -1) {
    const columns = textOf(order).replace(/^ORDER\s+BY\s/i, '');
    return { what, before: `${textOf(0, select + 1)} ignore(${columns}) AS millrace_ignored`, after: '' };
  }
  const end = group === -1 ? texts.length : group;
  return states(what, textOf(0, end), textOf(end, order === -1 ? undefined : order));
}

/** The result has no rows, so that nothing is computed of the states. */
function states(what: string, select: string, groups: string): Computed {
  return { what, before: select, after: `${groups} HAVING count() = 0` };
}

function merging({ engine, columns }: Pieces, sortingKey: string): readonly Computed[] {
  const { family, arguments: given } = engine;
  switch (family) {
    case 'CollapsingMergeTree': {
      const sign = given.at(-1);
      if (sign === undefined) return [];
      return [check('the sign', `${sign} != 1 AND ${sign} != -1`, 'Incorrect data: the sign must be 1 or -1')];
    }
    case 'ReplacingMergeTree': {
      const [, isDeleted, more] = given;
      if (isDeleted === undefined || more !== undefined) return [];
      return [check('the deletion', `${isDeleted} > 1`, 'Incorrect data: is_deleted must be 1 or 0')];
    }
    case 'AggregatingMergeTree':
    case 'SummingMergeTree': {
      const aggregates = columns.flatMap(({ name, type }) => {
        const call = /^SimpleAggregateFunction\((\w+(?:\([^)]*\))?),/.exec(type)?.[1];
        return call === undefined ? [] : [`${call}(${name})`];
      });
      if (aggregates.length === 0) return [];
      const groups = sortingKey === '' ? '' : `GROUP BY ${sortingKey}`;
      return [states('the aggregates', `SELECT ${aggregates.join(', ')}`, groups)];
    }
    default:
      return [];
  }
}
