/**
 * What an error of PostgreSQL, or of the network to it, means for the sink. The only place that interprets such
 * errors.
 */
import pg from 'pg';
import type { Identity } from '../../model/credentials.ts';
import { mr, problemOf, type MillraceError } from '../../model/errors.ts';
import { shortened } from '../../model/text.ts';
import { stableText } from '../stable-text.ts';

export type Failure =
  /** Thrown to the stage, which retries and reports it. */
  | { readonly kind: 'wait'; readonly error: MillraceError }
  /** Some row of the statement is at fault. */
  | { readonly kind: 'rows'; readonly problem: string };

export interface FailureContext {
  readonly sink: string;
  readonly identity: Identity;
  /** Host and port. */
  readonly server: string;
  /** For messages: `public.orders`. */
  readonly table: string;
  readonly schema: string;
  /** What the sink does with the table, in the words of a GRANT. */
  readonly rights: string;
}

/** SQLSTATEs by meaning; a class is its first two characters. An exact code goes before its class. */
const meanings: Readonly<Record<string, 'auth' | 'privilege' | 'missing' | 'unfit' | 'unreachable' | 'rows'>> = {
  '28': 'auth', // invalid authorization
  '42501': 'privilege', // insufficient_privilege
  '3D000': 'missing', // the database
  '3F000': 'missing', // the schema
  '42P01': 'missing', // the table
  '42': 'unfit', // columns, types, ON CONFLICT without a unique key
  '0A': 'unfit', // feature_not_supported
  '08': 'unreachable', // connection
  '57P01': 'unreachable', // admin_shutdown
  '57P02': 'unreachable', // crash_shutdown
  '57P03': 'unreachable', // cannot_connect_now
  '54000': 'rows', // program_limit_exceeded: too long for an index, a page, a word of a text search
  '22': 'rows', // data
  '23': 'rows', // constraints
  '21': 'rows', // cardinality
  '44': 'rows', // WITH CHECK OPTION
  P0: 'rows', // raised by a trigger
};

/** An error that is not in the table makes the sink wait: an unknown problem is never blamed on a record. */
export function parseFailure(error: unknown, where: FailureContext): Failure {
  const { sink, server, table, identity } = where;
  const options = { cause: error };
  const said = problemOf(error);
  const problem = stableText(said);
  const wait = (waiting: MillraceError): Failure => ({ kind: 'wait', error: waiting });
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) {
    return wait(mr('MR_SINK_UNREACHABLE', { sink, server, problem }, options));
  }
  const { code, detail } = error;
  const meaning = meanings[code] ?? meanings[code.slice(0, 2)];
  switch (isOfValue(error, meaning) ? 'rows' : meaning) {
    case 'auth':
      return wait(mr('MR_SINK_AUTH_REJECTED', { sink, server, ...identity }, options));
    case 'privilege': {
      const about = { sink, server, table, user: identity.user, problem: `${problem} (${code})` };
      return wait(mr('MR_SINK_PRIVILEGE_MISSING', { ...about, grant: grantFor(said, where) }, options));
    }
    case 'missing':
      return wait(mr('MR_SINK_TABLE_MISSING', { table, sink, server }, options));
    case 'unfit': {
      const hint = 'Correct the table or the sink; Millrace retries by itself.';
      return wait(mr('MR_SINK_TABLE_UNFIT', { table, sink, problem: `${problem} (${code})`, hint }, options));
    }
    case 'unreachable':
      return wait(mr('MR_SINK_UNREACHABLE', { sink, server, problem: `${problem} (${code})` }, options));
    case 'rows':
      return { kind: 'rows', problem: shortened(`${said}${detail === undefined ? '' : `: ${detail}`} (${code})`) };
    default:
      return wait(mr('MR_SINK_BUSY', { sink, server, problem: `${problem} (${code})` }, options));
  }
}

/**
 * A value of type regclass that names no table ends in "undefined_table", too. What COPY itself says of a line it has
 * read begins with COPY, and what an input function adds stands before the column that COPY was at; what a trigger or a
 * default says begins with their own context, and COPY is at no column by then.
 */
function isOfValue({ where }: pg.DatabaseError, meaning: (typeof meanings)[string] | undefined): boolean {
  return (meaning === 'missing' || meaning === 'unfit') && /^COPY |\nCOPY [^\n]*, column /.test(where ?? '');
}

/** PostgreSQL names the object but not the missing privilege: what Millrace does with the object is known here. */
function grantFor(said: string, { identity, table, schema, rights }: FailureContext): string {
  const [, kind, name = ''] =
    /permission denied for (table|relation|schema|sequence|database) "?([^"]+)"?/.exec(said) ?? [];
  const user = /"(.+)"/.exec(identity.user)?.[1];
  const to = user === undefined ? 'the user of the sink' : pg.escapeIdentifier(user);
  const quoted = pg.escapeIdentifier(name);
  if (said.includes('temporary tables')) return `Run: GRANT TEMPORARY ON DATABASE ${databaseIn(said)} TO ${to}`;
  switch (kind) {
    case 'schema':
      return `Run: GRANT USAGE, CREATE ON SCHEMA ${quoted} TO ${to}, or make the table millrace_positions yourself and grant USAGE`;
    case 'sequence':
      return `Run: GRANT USAGE ON SEQUENCE ${pg.escapeIdentifier(schema)}.${quoted} TO ${to}`;
    case 'database':
      return `Run: GRANT CONNECT ON DATABASE ${quoted} TO ${to}`;
    default: {
      const isPositions = name === 'millrace_positions';
      const what = isPositions ? 'SELECT, INSERT, UPDATE' : rights;
      const on = kind === undefined ? table : `${pg.escapeIdentifier(schema)}.${quoted}`;
      return `Run: GRANT ${what} ON ${on} TO ${to}`;
    }
  }
}

function databaseIn(said: string): string {
  return /in database "(.+)"/.exec(said)?.[1] ?? 'of the sink';
}
