/**
 * The settings of an insert on which the guarantee depends, with their values. Pure.
 *
 * G1  Each of them is sent with every insert, whatever user, profile and server configure; a setting that the server
 *     does not know is not sent.
 * G2  A spec that sets one of them to another value is refused (`contradictions`), because it would not be obeyed.
 * G3  The server aborts an insert when the client no longer waits for it, unless the spec says how long it may take: a
 *     write must not happen long after the pod that sent it is gone (I12).
 * G4  Text in a column of type JSON stays text, whatever it looks like, unless the spec asks for dates or numbers to be
 *     parsed out of it.
 */
import type { ClickHouseSettings } from '@clickhouse/client';

/** More rows than a batch may have: the server must not split a batch into several blocks. */
const rowsOfOneBlock = '16777216';

export interface Guard {
  /** The value as ClickHouse expects it. */
  readonly value: string;
  /** What would happen with another value. */
  readonly because: string;
}

const oneBlock = 'a batch must be one block, because a token stands for one';
const tokens = 'a repeated batch must be recognised by its token';
const views = 'a repeated batch must reach the views that it did not reach before';
const whole = 'an insert must be whole or fail: what a limit leaves out would be lost without a word';
const wire = 'the rows are written for it';

export const guarded: Readonly<Record<string, Guard>> = {
  insert_deduplicate: { value: '1', because: tokens },
  deduplicate_insert: { value: 'enable', because: tokens },
  async_insert: { value: '0', because: 'the answer must say that the batch is stored' },
  wait_end_of_query: { value: '1', because: 'the answer must say that the batch is stored' },
  deduplicate_blocks_in_dependent_materialized_views: { value: '1', because: views },
  materialized_views_ignore_errors: { value: '0', because: views },
  ignore_materialized_views_with_dropped_target_table: { value: '0', because: views },
  max_insert_block_size: { value: rowsOfOneBlock, because: oneBlock },
  max_insert_block_size_rows: { value: rowsOfOneBlock, because: oneBlock },
  max_insert_block_size_bytes: { value: '0', because: oneBlock },
  min_insert_block_size_rows: { value: rowsOfOneBlock, because: oneBlock },
  min_insert_block_size_bytes: { value: '0', because: oneBlock },
  use_strict_insert_block_limits: { value: '0', because: oneBlock },
  input_format_parallel_parsing: { value: '0', because: oneBlock },
  max_insert_threads: { value: '1', because: oneBlock },
  throw_on_max_partitions_per_insert_block: {
    value: '1',
    because: 'the table must be sure to remember an insert, and each partition takes a place in its memory',
  },
  input_format_allow_errors_num: { value: '0', because: whole },
  input_format_allow_errors_ratio: { value: '0', because: whole },
  limit: { value: '0', because: whole },
  offset: { value: '0', because: whole },
  ...Object.fromEntries(
    ['timeout', 'read', 'read_leaf', 'result', 'group_by', 'sort', 'distinct', 'join', 'set', 'transfer'].map(
      (what) => [
        what === 'read_leaf' ? 'read_overflow_mode_leaf' : `${what}_overflow_mode`,
        { value: 'throw', because: whole },
      ],
    ),
  ),
  input_format_defaults_for_omitted_fields: { value: '1', because: wire },
  input_format_with_names_use_header: { value: '1', because: wire },
  input_format_with_types_use_header: { value: '1', because: wire },
  input_format_binary_read_json_as_string: { value: '1', because: wire },
};

/** G4. */
const usual: Readonly<Record<string, string>> = {
  input_format_try_infer_dates: '0',
  input_format_try_infer_datetimes: '0',
  input_format_json_try_infer_numbers_from_strings: '0',
};

/** The settings that differ for each insert. */
const own: Readonly<Record<string, string>> = {
  insert_deduplication_token: 'Millrace makes a token for each batch',
};

export interface SpecSetting {
  readonly name: string;
  readonly value: string;
}

export interface Contradiction {
  readonly index: number;
  readonly problem: string;
}

/** ClickHouse's own limit, unless the spec says otherwise. */
const defaultPartitions = 100;
const partitionsSetting = 'max_partitions_per_insert_block';

/** How many partitions one insert may reach. */
export function partitionsOf(settings: readonly SpecSetting[]): number {
  const asked = settings.find(({ name }) => name === partitionsSetting)?.value;
  return asked === undefined ? defaultPartitions : Number(asked);
}

/** G2. */
export function contradictions(settings: readonly SpecSetting[]): readonly Contradiction[] {
  return settings.flatMap(({ name, value }, index) => {
    if (own[name] !== undefined) return [{ index, problem: `cannot be set: ${own[name]}` }];
    if (name === partitionsSetting && !/^[1-9][0-9]{0,4}$/.test(value)) {
      const why = 'the table must remember an insert, and each partition takes a place in its memory';
      return [{ index, problem: `must be a number from 1 to 99999, but is ${value}: ${why}` }];
    }
    const guard = guarded[name];
    if (guard === undefined || same(guard.value, value)) return [];
    return [{ index, problem: `must stay ${guard.value}, but is ${value}: ${guard.because}` }];
  });
}

function same(wanted: string, given: string): boolean {
  const plain = (value: string) =>
    value
      .trim()
      .toLowerCase()
      .replace(/^true$/, '1')
      .replace(/^false$/, '0');
  return plain(wanted) === plain(given);
}

export interface InsertConfig {
  readonly settings: readonly SpecSetting[];
  readonly requestTimeoutMs: number;
}

/** The spec's settings, then those of G1 that the server knows. Without a token: for rows that are only examined. */
export function insertSettings(
  { settings, requestTimeoutMs }: InsertConfig,
  known: ReadonlySet<string>,
  token?: string,
): ClickHouseSettings {
  const guards = Object.entries(guarded).filter(([name]) => known.has(name) || name === 'wait_end_of_query');
  const usuals = Object.entries(usual).filter(([name]) => known.has(name));
  return {
    ...Object.fromEntries(usuals),
    [partitionsSetting]: String(partitionsOf(settings)),
    max_execution_time: Math.ceil(requestTimeoutMs / 1_000),
    ...Object.fromEntries(settings.map(({ name, value }) => [name, value])),
    ...Object.fromEntries(guards.map(([name, { value }]) => [name, value])),
    ...(token === undefined ? {} : { insert_deduplication_token: token }),
  };
}

export const knownSettingsQuery = 'SELECT name FROM system.settings WHERE name IN ({names:Array(String)})';
/** Setting names that the server is asked about: only those that it knows are sent. */
export const sentNames: readonly string[] = Object.keys({ ...guarded, ...usual });
