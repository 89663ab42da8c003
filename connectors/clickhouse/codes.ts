/**
 * Every error code of ClickHouse that matters to a sink: one table, by what follows from it.
 *
 * L1  A code means "nothing was stored" only if the server raises it before it starts to write. With all other codes,
 *     and with every code that is not listed, the outcome of the insert is unknown.
 * L2  A code is a record's fault only if a value raises it. An error about a statement, a table, a privilege or the
 *     server never makes a dead letter. Where the code leaves it open, the text may tell: `isOfNoValue`.
 *
 * An error of a view may come after the table has stored the block, whatever its code (`./failures.ts`).
 */

export type Meaning =
  /** A value is at fault. */
  | 'rows'
  /** Either a value is at fault, or the table or view that computes with it: it is the value if others are accepted. */
  | 'doubtful'
  /** The user is unknown, or its login is rejected. A person has to act. */
  | 'auth'
  /** The user is known, but lacks the privilege. A person has to act. */
  | 'privilege'
  /** The table, or its database, does not exist. A person has to act. */
  | 'missing'
  /** Table, view, statement or settings do not fit together. A person has to act. */
  | 'unfit'
  /** It passes without intervention. */
  | 'busy'
  /** The network to the server, or from there to other servers. It passes, or a person repairs it. */
  | 'unreachable';

export interface CodeMeaning {
  readonly name: string;
  readonly meaning: Meaning;
  readonly stored: 'nothing' | 'unknown';
}

/**
 * L2. A dictionary or a function that is gone, or that is no longer what the table was made for. Only how a text begins
 * counts: what follows may quote a row.
 */
const beginnings = [
  /^Dictionary \(`.+?`\) not found/,
  /^external (?:dictionary|user defined function) '/,
  /^No such attribute '/,
  /^Function dictGet\w* dictionary attribute has different type /,
];

/** Whether no value can have raised a doubtful error, which it says itself. */
export function isOfNoValue(text: string): boolean {
  return beginnings.some((beginning) => beginning.test(text));
}

const groups: readonly (readonly [Meaning, CodeMeaning['stored'], Readonly<Record<number, string>>])[] = [
  [
    'rows',
    'nothing',
    {
      6: 'CANNOT_PARSE_TEXT',
      13: 'SIZES_OF_COLUMNS_IN_TUPLE_DOESNT_MATCH',
      19: 'SIZE_OF_FIXED_STRING_DOESNT_MATCH',
      25: 'CANNOT_PARSE_ESCAPE_SEQUENCE',
      26: 'CANNOT_PARSE_QUOTED_STRING',
      27: 'CANNOT_PARSE_INPUT_ASSERTION_FAILED',
      28: 'CANNOT_PRINT_FLOAT_OR_DOUBLE_NUMBER',
      32: 'ATTEMPT_TO_READ_AFTER_EOF',
      33: 'CANNOT_READ_ALL_DATA',
      38: 'CANNOT_PARSE_DATE',
      41: 'CANNOT_PARSE_DATETIME',
      69: 'ARGUMENT_OUT_OF_BOUND',
      72: 'CANNOT_PARSE_NUMBER',
      117: 'INCORRECT_DATA',
      120: 'CANNOT_INSERT_VALUE_OF_DIFFERENT_SIZE_INTO_TUPLE',
      124: 'INCORRECT_ELEMENT_OF_SET',
      128: 'TOO_LARGE_ARRAY_SIZE',
      130: 'CANNOT_READ_ARRAY_FROM_TEXT',
      131: 'TOO_LARGE_STRING_SIZE',
      135: 'ZERO_ARRAY_OR_TUPLE_INDEX',
      153: 'ILLEGAL_DIVISION',
      190: 'SIZES_OF_ARRAYS_DONT_MATCH',
      321: 'VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE',
      346: 'CANNOT_CONVERT_CHARSET',
      349: 'CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN',
      354: 'ZLIB_INFLATE_FAILED',
      376: 'CANNOT_PARSE_UUID',
      395: 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO',
      407: 'DECIMAL_OVERFLOW',
      441: 'CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING',
      467: 'CANNOT_PARSE_BOOL',
      469: 'VIOLATED_CONSTRAINT',
      490: 'CANNOT_FORMAT_DATETIME',
      503: 'AGGREGATE_FUNCTION_THROW',
      563: 'CANNOT_READ_MAP_FROM_TEXT',
      592: 'DATA_ENCRYPTION_ERROR',
      621: 'CANNOT_NORMALIZE_STRING',
      632: 'UNEXPECTED_DATA_AFTER_PARSED_VALUE',
      675: 'CANNOT_PARSE_IPV4',
      676: 'CANNOT_PARSE_IPV6',
      691: 'UNKNOWN_ELEMENT_OF_ENUM',
      760: 'UNICODE_ERROR',
    },
  ],
  [
    'doubtful',
    'nothing',
    {
      9: 'SIZES_OF_COLUMNS_DOESNT_MATCH',
      11: 'POSITION_OUT_OF_BOUND',
      12: 'PARAMETER_OUT_OF_BOUND',
      36: 'BAD_ARGUMENTS',
      43: 'ILLEGAL_TYPE_OF_ARGUMENT',
      53: 'TYPE_MISMATCH',
      70: 'CANNOT_CONVERT_TYPE',
      125: 'INCORRECT_RESULT_OF_SCALAR_SUBQUERY',
      127: 'ILLEGAL_INDEX',
      169: 'BAD_TYPE_OF_FIELD',
      170: 'BAD_GET',
      282: 'INCORRECT_INDEX',
      306: 'TOO_DEEP_RECURSION',
      353: 'INDEX_OF_POSITIONAL_ARGUMENT_IS_OUT_OF_RANGE',
      427: 'CANNOT_COMPILE_REGEXP',
      447: 'HYPERSCAN_CANNOT_SCAN_TEXT',
      754: 'UDF_EXECUTION_FAILED',
    },
  ],
  [
    'doubtful',
    'unknown',
    {
      454: 'OPENSSL_ERROR',
    },
  ],
  [
    'auth',
    'nothing',
    {
      192: 'UNKNOWN_USER',
      193: 'WRONG_PASSWORD',
      194: 'REQUIRED_PASSWORD',
      195: 'IP_ADDRESS_NOT_ALLOWED',
      511: 'UNKNOWN_ROLE',
      516: 'AUTHENTICATION_FAILED',
      720: 'USER_EXPIRED',
      767: 'REQUIRED_SECOND_FACTOR',
    },
  ],
  [
    'privilege',
    'nothing',
    {
      291: 'DATABASE_ACCESS_DENIED',
      482: 'DICTIONARY_ACCESS_DENIED',
      497: 'ACCESS_DENIED',
    },
  ],
  [
    'missing',
    'nothing',
    {
      60: 'UNKNOWN_TABLE',
      81: 'UNKNOWN_DATABASE',
      218: 'TABLE_IS_DROPPED',
    },
  ],
  [
    'unfit',
    'nothing',
    {
      7: 'INCORRECT_NUMBER_OF_COLUMNS',
      8: 'THERE_IS_NO_COLUMN',
      10: 'NOT_FOUND_COLUMN_IN_BLOCK',
      15: 'DUPLICATE_COLUMN',
      16: 'NO_SUCH_COLUMN_IN_TABLE',
      20: 'NUMBER_OF_COLUMNS_DOESNT_MATCH',
      34: 'TOO_MANY_ARGUMENTS_FOR_FUNCTION',
      35: 'TOO_FEW_ARGUMENTS_FOR_FUNCTION',
      42: 'NUMBER_OF_ARGUMENTS_DOESNT_MATCH',
      44: 'ILLEGAL_COLUMN',
      46: 'UNKNOWN_FUNCTION',
      47: 'UNKNOWN_IDENTIFIER',
      48: 'NOT_IMPLEMENTED',
      50: 'UNKNOWN_TYPE',
      56: 'UNKNOWN_STORAGE',
      57: 'TABLE_ALREADY_EXISTS',
      62: 'SYNTAX_ERROR',
      63: 'UNKNOWN_AGGREGATE_FUNCTION',
      73: 'UNKNOWN_FORMAT',
      80: 'INCORRECT_QUERY',
      115: 'UNKNOWN_SETTING',
      122: 'INCOMPATIBLE_COLUMNS',
      161: 'TOO_MANY_COLUMNS',
      164: 'READONLY',
      180: 'THERE_IS_NO_PROFILE',
      229: 'QUERY_IS_TOO_LARGE',
      336: 'UNKNOWN_DATABASE_ENGINE',
      344: 'SUPPORT_IS_DISABLED',
      352: 'AMBIGUOUS_COLUMN_NAME',
      377: 'ILLEGAL_SYNTAX_FOR_DATA_TYPE',
      386: 'NO_COMMON_TYPE',
      392: 'QUERY_IS_PROHIBITED',
      397: 'QUERY_IS_NOT_SUPPORTED_IN_MATERIALIZED_VIEW',
      446: 'FUNCTION_NOT_ALLOWED',
      452: 'SETTING_CONSTRAINT_VIOLATION',
      455: 'SUSPICIOUS_TYPE_FOR_LOW_CARDINALITY',
      471: 'INVALID_SETTING_VALUE',
      472: 'READONLY_SETTING',
      527: 'NO_SUITABLE_FUNCTION_IMPLEMENTATION',
      620: 'QUERY_NOT_ALLOWED',
      721: 'DEPRECATED_FUNCTION',
      764: 'DEDUPLICATION_IS_NOT_POSSIBLE',
      774: 'TABLE_IS_PERMANENTLY_READ_ONLY',
    },
  ],
  [
    'unfit',
    'unknown',
    {
      156: 'DICTIONARIES_WAS_NOT_LOADED',
      158: 'TOO_MANY_ROWS',
      191: 'SET_SIZE_LIMIT_EXCEEDED',
      307: 'TOO_MANY_BYTES',
      396: 'TOO_MANY_ROWS_OR_BYTES',
    },
  ],
  [
    'busy',
    'nothing',
    {
      201: 'QUOTA_EXCEEDED',
      202: 'TOO_MANY_SIMULTANEOUS_QUERIES',
      203: 'NO_FREE_CONNECTION',
      252: 'TOO_MANY_PARTS',
      285: 'TOO_FEW_LIVE_REPLICAS',
      286: 'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE',
      289: 'REPLICA_IS_NOT_IN_QUORUM',
      364: 'RECEIVED_ERROR_TOO_MANY_REQUESTS',
      372: 'SESSION_NOT_FOUND',
      373: 'SESSION_IS_LOCKED',
      692: 'TOO_MANY_MUTATIONS',
      700: 'USER_SESSION_LIMIT_EXCEEDED',
      733: 'TABLE_IS_BEING_RESTARTED',
      745: 'SERVER_OVERLOADED',
      749: 'TCP_CONNECTION_LIMIT_REACHED',
      762: 'HTTP_CONNECTION_LIMIT_REACHED',
      763: 'SESSION_REFUSED',
    },
  ],
  [
    'busy',
    'unknown',
    {
      24: 'CANNOT_WRITE_TO_OSTREAM',
      49: 'LOGICAL_ERROR',
      75: 'CANNOT_WRITE_TO_FILE_DESCRIPTOR',
      76: 'CANNOT_OPEN_FILE',
      159: 'TIMEOUT_EXCEEDED',
      160: 'TOO_SLOW',
      173: 'CANNOT_ALLOCATE_MEMORY',
      204: 'CANNOT_FSYNC',
      225: 'NO_ZOOKEEPER',
      236: 'ABORTED',
      241: 'MEMORY_LIMIT_EXCEEDED',
      242: 'TABLE_IS_READ_ONLY',
      243: 'NOT_ENOUGH_SPACE',
      244: 'UNEXPECTED_ZOOKEEPER_ERROR',
      254: 'NO_ACTIVE_REPLICAS',
      294: 'CANNOT_WRITE_TO_FILE',
      319: 'UNKNOWN_STATUS_OF_INSERT',
      389: 'INSERT_WAS_DEDUPLICATED',
      394: 'QUERY_WAS_CANCELLED',
      416: 'REPLICA_STATUS_CHANGED',
      425: 'SYSTEM_ERROR',
      439: 'CANNOT_SCHEDULE_TASK',
      473: 'DEADLOCK_AVOIDED',
      499: 'S3_ERROR',
      500: 'AZURE_BLOB_STORAGE_ERROR',
      529: 'NOT_A_LEADER',
      574: 'DISTRIBUTED_TOO_MANY_PENDING_BYTES',
      586: 'CANNOT_CREATE_FILE',
      659: 'UNKNOWN_STATUS_OF_TRANSACTION',
      677: 'THREAD_WAS_CANCELED',
      710: 'FAULT_INJECTED',
      722: 'ASYNC_LOAD_WAIT_FAILED',
      735: 'QUERY_WAS_CANCELLED_BY_CLIENT',
      737: 'GOOGLE_CLOUD_ERROR',
      776: 'RESOURCE_LIMIT_EXCEEDED',
      777: 'MEMORY_RESERVATION_KILLED',
      778: 'MEMORY_RESERVATION_FAILED',
      900: 'DISTRIBUTED_CACHE_ERROR',
      999: 'KEEPER_EXCEPTION',
    },
  ],
  [
    'unreachable',
    'unknown',
    {
      3: 'UNEXPECTED_END_OF_FILE',
      23: 'CANNOT_READ_FROM_ISTREAM',
      95: 'CANNOT_READ_FROM_SOCKET',
      96: 'CANNOT_WRITE_TO_SOCKET',
      198: 'DNS_ERROR',
      209: 'SOCKET_TIMEOUT',
      210: 'NETWORK_ERROR',
      279: 'ALL_CONNECTION_TRIES_FAILED',
      297: 'SHARD_HAS_NO_CONNECTIONS',
      369: 'ALL_REPLICAS_ARE_STALE',
      519: 'NO_REMOTE_SHARD_AVAILABLE',
      1000: 'POCO_EXCEPTION',
    },
  ],
];

export const codes: ReadonlyMap<number, CodeMeaning> = new Map(
  groups.flatMap(([meaning, stored, members]) =>
    Object.entries(members).map(([code, name]) => [Number(code), { name, meaning, stored }] as const),
  ),
);
