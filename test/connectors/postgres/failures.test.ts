import { equal, ok } from 'node:assert/strict';
import pg from 'pg';
import { parseFailure } from '../../../connectors/postgres/failures.ts';

describe('failures of PostgreSQL', () => {
  const where = {
    sink: 'warehouse',
    identity: { user: 'user "app"', credentials: 'password' },
    server: 'pg:5432',
    table: 'public.orders',
    database: 'shop',
    schema: 'public',
  };

  function failure(code: string, said = 'what it says') {
    const error = new pg.DatabaseError(said, 0, 'error');
    error.code = code;
    return parseFailure(error, where);
  }

  for (const [code, what, expected] of [
    ['28P01', 'invalid_password', 'MR_SINK_AUTH_REJECTED'],
    ['42501', 'insufficient_privilege', 'MR_SINK_PRIVILEGE_MISSING'],
    ['3D000', 'invalid_catalog_name', 'MR_SINK_PLACE_MISSING'],
    ['3F000', 'invalid_schema_name', 'MR_SINK_PLACE_MISSING'],
    ['42P01', 'undefined_table', 'MR_SINK_TABLE_MISSING'],
    ['42703', 'undefined_column', 'MR_SINK_TABLE_UNFIT'],
    ['42P10', 'invalid_column_reference', 'MR_SINK_TABLE_UNFIT'],
    ['08006', 'connection_failure', 'MR_SINK_UNREACHABLE'],
    ['57P01', 'admin_shutdown', 'MR_SINK_UNREACHABLE'],
    ['57014', 'query_canceled', 'MR_SINK_BUSY'],
    ['53300', 'too_many_connections', 'MR_SINK_BUSY'],
    ['40P01', 'deadlock_detected', 'MR_SINK_BUSY'],
    ['55P03', 'lock_not_available', 'MR_SINK_BUSY'],
    ['XX000', 'internal_error', 'MR_SINK_BUSY'],
  ] as const) {
    it(`${what} is ${expected}`, () => {
      const parsed = failure(code);
      ok(parsed.kind === 'wait');
      equal(parsed.error.code, expected);
    });
  }

  for (const [code, what] of [
    ['22P02', 'invalid_text_representation'],
    ['23505', 'unique_violation'],
    ['P0001', 'raise_exception'],
    ['10608', 'invalid_argument_for_xquery'],
    ['2F005', 'function_executed_no_return_statement'],
  ] as const) {
    it(`${what} is the fault of a row`, () => {
      equal(failure(code).kind, 'rows');
    });
  }

  for (const [file, kind] of [
    ['varsup.c', 'wait'],
    ['multixact.c', 'wait'],
    ['xact.c', 'wait'],
    ['md.c', 'wait'],
    ['bufmgr.c', 'wait'],
    ['nbtutils.c', 'rows'],
    ['hio.c', 'rows'],
    ['tsvector.c', 'rows'],
    ['vector.c', 'rows'],
  ] as const) {
    it(`program_limit_exceeded of ${file} is ${kind === 'rows' ? "a row's" : "the server's"}`, () => {
      const error = new pg.DatabaseError('what it says', 0, 'error');
      Object.assign(error, { code: '54000', file });
      equal(parseFailure(error, where).kind, kind);
    });
  }

  for (const [place, grant] of [
    [{ routine: 'CheckMyDatabase', file: 'postinit.c' }, 'GRANT CONNECT ON DATABASE "shop" TO "app"'],
    [{ routine: 'InitTempTableNamespace', file: 'namespace.c' }, 'GRANT TEMPORARY ON DATABASE "shop" TO "app"'],
  ] as const) {
    it(`F1: a right that ${place.routine} misses: the statement that gives it is said`, () => {
      const error = Object.assign(new pg.DatabaseError('etwas', 0, 'error'), { code: '42501', ...place });
      const parsed = parseFailure(error, where);
      ok(parsed.kind === 'wait');
      ok(parsed.error.sentence.includes(`etwas (42501). Run: ${grant};`), parsed.error.sentence);
    });
  }

  it('anything that is no answer of PostgreSQL is the way to it', () => {
    const parsed = parseFailure(new Error('Connection terminated unexpectedly'), where);
    ok(parsed.kind === 'wait');
    equal(parsed.error.code, 'MR_SINK_UNREACHABLE');
  });
});
