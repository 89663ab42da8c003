/**
 * What an error of ClickHouse, or of the network to it, means for the sink. The only place that interprets such errors;
 * the meaning of a code is in `./codes.ts`.
 */
import { ClickHouseError } from '@clickhouse/client';
import { assertNever, mr, problemOf, type MillraceError } from '../../model/errors.ts';
import { shortened } from '../../model/text.ts';
import type { SinkFailureContext } from '../failure-context.ts';
import { stableLoadText, stableText } from '../stable-text.ts';
import { codes, isOfNoValue, type Meaning } from './codes.ts';

/** Some row of the insert is at fault; `isDoubtful`: or the table or view that computes with all of them. */
export interface RowsAtFault {
  readonly kind: 'rows';
  readonly problem: string;
  readonly isDoubtful: boolean;
  readonly stored: 'nothing' | 'unknown';
}

export type Failure =
  | RowsAtFault
  /** The stage waits, reports it, and retries. */
  | { readonly kind: 'wait'; readonly error: MillraceError; readonly stored: 'nothing' | 'unknown' };

export function parseFailure(failure: unknown, where: SinkFailureContext): Failure {
  const { sink, server, table, identity } = where;
  const options = { cause: failure };
  if (!(failure instanceof ClickHouseError)) {
    const error = mr('MR_SINK_UNREACHABLE', { sink, server, problem: stableText(problemOf(failure)) }, options);
    return { kind: 'wait', error, stored: neverArrived(failure) ? 'nothing' : 'unknown' };
  }
  const known = codes.get(Number(failure.code));
  const problem = problemWith(failure);
  const wait = (error: MillraceError): Failure => ({ kind: 'wait', error, stored: known?.stored ?? 'unknown' });
  if (isOfView(failure)) {
    return { kind: 'wait', error: mr('MR_SINK_VIEW_FAILED', { table, sink, problem }, options), stored: 'unknown' };
  }
  const tooMany = tooManyPartitions(failure);
  if (tooMany !== undefined) {
    const limit = `a batch has rows of more than ${tooMany} partitions`;
    const hint =
      'Set max_partitions_per_insert_block in the settings of the sink to what a batch may reach, lower batch.maxRecords, or partition the table by something coarser.';
    return wait(mr('MR_SINK_TABLE_UNFIT', { table, sink, problem: limit, hint }, options));
  }
  const meaning = known?.meaning;
  switch (meaning) {
    case 'rows':
    case 'doubtful':
      return {
        kind: 'rows',
        problem: coded(failure, failure.message),
        isDoubtful: meaning === 'doubtful',
        stored: known?.stored ?? 'unknown',
      };
    case 'auth':
      return wait(mr('MR_SINK_AUTH_REJECTED', { sink, server, ...identity }, options));
    case 'privilege': {
      const about = { sink, server, table, user: identity.user, problem, grant: grantFor(failure.message, where) };
      return wait(mr('MR_SINK_PRIVILEGE_MISSING', about, options));
    }
    case 'missing':
      return isTheTable(failure, table)
        ? wait(mr('MR_SINK_TABLE_MISSING', { table, sink, server }, options))
        : wait(mr('MR_SINK_PLACE_MISSING', { sink, server, problem }, options));
    case 'unfit': {
      const hint = 'Correct the table or the sink; Millrace retries by itself.';
      return wait(mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint }, options));
    }
    case 'busy':
      return wait(mr('MR_SINK_BUSY', { sink, server, problem }, options));
    case 'unreachable':
      return wait(mr('MR_SINK_UNREACHABLE', { sink, server, problem }, options));
    case undefined:
      return wait(mr('MR_SINK_FAILED', { sink, server, problem }, options));
    default:
      return assertNever(meaning);
  }
}

/** Whether what is missing is the sink's table: not its database, nor what a default, a view or the engine reads. */
function isTheTable({ code, message }: ClickHouseError, table: string): boolean {
  const said = message.replaceAll('`', '').split('Maybe you meant')[0] ?? '';
  const at = said.indexOf(table);
  return code !== unknownDatabase && at >= 0 && !/^\w/.test(said.slice(at + table.length));
}

const unknownDatabase = '81';

/** Undefined: it is no error of ClickHouse, or its code is not in the table. */
export function meaningOf(error: unknown): Meaning | undefined {
  return error instanceof ClickHouseError ? codes.get(Number(error.code))?.meaning : undefined;
}

/** The server, or what is in it, is the cause, whatever the statement says. */
export function isOfServer(error: ClickHouseError): boolean {
  const meaning = meaningOf(error);
  return meaning === 'auth' || meaning === 'missing' || meaning === 'busy' || meaning === 'unreachable';
}

/**
 * A twin's verdict on rows: a twin of a view counts like that of the table. What is missing is waited for, whatever rows
 * have met it. `names`: of twins, and of their originals.
 */
export function parseExamination(
  failure: unknown,
  where: SinkFailureContext,
  names: ReadonlyMap<string, string>,
): Failure {
  const said = namingOriginals(failure, names);
  const { sink, table } = where;
  if (said instanceof ClickHouseError) {
    const meaning = meaningOf(said);
    if (meaning === 'doubtful' && isOfNoValue(said.message.trim())) {
      const problem = problemWith(said);
      const hint = 'Bring it back, or alter the table or the view that needs it; Millrace retries by itself.';
      return { kind: 'wait', error: mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint }), stored: 'nothing' };
    }
    if (meaning === 'rows' || meaning === 'doubtful') {
      const problem = coded(said, said.message);
      return { kind: 'rows', problem, isDoubtful: meaning === 'doubtful', stored: 'nothing' };
    }
    if (isOfView(said)) {
      const hint = 'Correct the view; Millrace retries by itself.';
      const error = mr('MR_SINK_ROWS_UNKNOWN', { table, sink, problem: problemWith(said), hint });
      return { kind: 'wait', error, stored: 'nothing' };
    }
  }
  return { ...parseFailure(said, where), stored: 'nothing' };
}

/** In words that stay equal while it is the same trouble. */
function problemWith(failure: ClickHouseError): string {
  const stable = meaningOf(failure) === 'busy' ? stableLoadText : stableText;
  return coded(failure, stable(failure.message));
}

/** The code tells apart what has the same text. */
function coded({ type, code }: ClickHouseError, text: string): string {
  return `${shortened(text.trim())} (${type ?? 'code'} ${code})`;
}

/** A twin has a different name each time it is created. */
function namingOriginals(failure: unknown, names: ReadonlyMap<string, string>): unknown {
  if (!(failure instanceof ClickHouseError)) return failure;
  const { code, type } = failure;
  let { message } = failure;
  for (const [twin, name] of [...names].toReversed()) message = message.replaceAll(twin, name);
  return new ClickHouseError({ message, code, ...(type === undefined ? {} : { type }) });
}

/**
 * `… it's necessary to have the grant INSERT(id, v) ON shop.orders.` The user is in front of the message, and in the
 * identity.
 */
function grantFor(message: string, { identity }: SinkFailureContext): string {
  const grant = /necessary to have (?:the )?grant (.+? ON [^\s]+?)(?=\.?(?:\s|$))/.exec(message)?.[1];
  const user = /"(.+)"/.exec(identity.user)?.[1];
  const to = user === undefined ? 'the user of the sink' : `\`${user.replaceAll(/[\\`]/g, '\\$&')}\``;
  return grant === undefined ? `Give ${to} the right that is named` : `Run: GRANT ${grant} TO ${to}`;
}

/** The table has the block, or may have it: views are executed after it. */
function isOfView({ message }: ClickHouseError): boolean {
  return message.includes('while pushing to view');
}

/** One code for two problems: too many partitions in the insert (it will never fit), too many parts in the table. */
function tooManyPartitions({ message }: ClickHouseError): string | undefined {
  return /Too many partitions for (?:a )?single INSERT block \((?:more than |.*limit is )(\d+)/.exec(message)?.[1];
}

/** Errors that occur before any byte of the request is sent. */
const beforeTheRequest = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_INVALID_URL',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

function neverArrived(failure: unknown): boolean {
  if (failure instanceof AggregateError) return failure.errors.every(neverArrived);
  if (!(failure instanceof Error) || !('code' in failure)) return false;
  return typeof failure.code === 'string' && beforeTheRequest.has(failure.code);
}
