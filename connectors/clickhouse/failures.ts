/** What ClickHouse or the way to it says when it fails, and what that means for the sink. The one place that reads it. */
import { ClickHouseError } from '@clickhouse/client';
import { mr, problemOf, type MillraceError } from '../../model/errors.ts';

export type Failure =
  /** Thrown to the stage, which tries again and shows it. */
  | { readonly kind: 'wait'; readonly error: MillraceError }
  /** Some row of the insert is at fault. */
  | { readonly kind: 'rows'; readonly problem: string };

export interface Where {
  readonly sink: string;
  /** Host and port. */
  readonly server: string;
  /** For messages: `shop.orders`. */
  readonly table: string;
}

const rejected = new Set([
  192, // UNKNOWN_USER
  193, // WRONG_PASSWORD
  194, // REQUIRED_PASSWORD
  497, // ACCESS_DENIED
  516, // AUTHENTICATION_FAILED
]);

const missing = new Set([
  60, // UNKNOWN_TABLE
  81, // UNKNOWN_DATABASE
  218, // TABLE_IS_DROPPED
]);

const unfit = new Set([
  8, // THERE_IS_NO_COLUMN
  10, // NOT_FOUND_COLUMN_IN_BLOCK
  16, // NO_SUCH_COLUMN_IN_TABLE
  36, // BAD_ARGUMENTS
  44, // ILLEGAL_COLUMN
  46, // UNKNOWN_FUNCTION
  47, // UNKNOWN_IDENTIFIER
  48, // NOT_IMPLEMENTED
  50, // UNKNOWN_TYPE
  56, // UNKNOWN_STORAGE
  57, // TABLE_ALREADY_EXISTS
  62, // SYNTAX_ERROR
  73, // UNKNOWN_FORMAT
  115, // UNKNOWN_SETTING
  164, // READONLY
  344, // SUPPORT_IS_DISABLED
  452, // SETTING_CONSTRAINT_VIOLATION
]);

const faultOfRows = new Set([
  6, // CANNOT_PARSE_TEXT
  25, // CANNOT_PARSE_ESCAPE_SEQUENCE
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  33, // CANNOT_READ_ALL_DATA
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  43, // ILLEGAL_TYPE_OF_ARGUMENT
  53, // TYPE_MISMATCH
  69, // ARGUMENT_OUT_OF_BOUND
  70, // CANNOT_CONVERT_TYPE
  72, // CANNOT_PARSE_NUMBER
  117, // INCORRECT_DATA
  128, // TOO_LARGE_ARRAY_SIZE
  131, // TOO_LARGE_STRING_SIZE
  153, // ILLEGAL_DIVISION
  190, // SIZES_OF_ARRAYS_DONT_MATCH
  321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  376, // CANNOT_PARSE_UUID
  395, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
  407, // DECIMAL_OVERFLOW
  441, // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
  467, // CANNOT_PARSE_BOOL
  469, // VIOLATED_CONSTRAINT
  632, // UNEXPECTED_DATA_AFTER_PARSED_VALUE
  676, // CANNOT_PARSE_IPV4
  677, // CANNOT_PARSE_IPV6
  691, // UNKNOWN_ELEMENT_OF_ENUM
]);

const unreachable = new Set([
  198, // DNS_ERROR
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  279, // ALL_CONNECTION_TRIES_FAILED
]);

/** Everything else that a server says makes the sink wait: an unknown trouble is never blamed on a record. */
export function parseFailure(error: unknown, where: Where): Failure {
  const { sink, server, table } = where;
  const options = { cause: error };
  if (!(error instanceof ClickHouseError)) {
    return { kind: 'wait', error: mr('MR_SINK_UNREACHABLE', { sink, server, problem: problemOf(error) }, options) };
  }
  const code = Number(error.code);
  const problem = `${shortened(error.message.trim())} (${error.type ?? 'code'} ${error.code})`;
  if (rejected.has(code)) return { kind: 'wait', error: mr('MR_SINK_AUTH_REJECTED', { sink, server }, options) };
  if (missing.has(code)) return { kind: 'wait', error: mr('MR_SINK_TABLE_MISSING', { table, sink, server }, options) };
  if (unfit.has(code)) {
    const hint = 'Correct the table or the sink; Millrace retries by itself.';
    return { kind: 'wait', error: mr('MR_SINK_TABLE_UNFIT', { table, sink, problem, hint }, options) };
  }
  if (unreachable.has(code)) {
    return { kind: 'wait', error: mr('MR_SINK_UNREACHABLE', { sink, server, problem }, options) };
  }
  if (faultOfRows.has(code)) return { kind: 'rows', problem };
  return { kind: 'wait', error: mr('MR_SINK_BUSY', { sink, server, problem }, options) };
}

/** A message may repeat a row; a condition has room for a sentence. */
function shortened(text: string): string {
  const limit = 400;
  return text.length <= limit ? text : `${text.slice(0, limit)}…`;
}
