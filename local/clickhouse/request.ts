/** A request to ClickHouse's HTTP interface: what its URL and headers say. */
import type { IncomingHttpHeaders } from 'node:http';
import { exception } from './exceptions.ts';

export interface ClickHouseRequest {
  /** From the URL; the statement continues in the body. */
  readonly query: string;
  readonly database: string;
  readonly format: string;
  readonly queryId: string | null;
  readonly settings: Readonly<Record<string, string>>;
  readonly params: Readonly<Record<string, string>>;
  readonly username: string;
  readonly password: string;
  readonly compressAnswer: boolean;
}

/** Parameters of the URL that are no settings. */
const reserved = new Set([
  ...['query', 'database', 'default_format', 'user', 'password', 'quota_key', 'query_id', 'role', 'stacktrace'],
  ...['session_id', 'session_timeout', 'session_check', 'close_session', 'compress', 'decompress'],
  ...['buffer_size', 'wait_end_of_query', 'client_protocol_version'],
]);

export function parseRequest(method: string, url: URL, headers: IncomingHttpHeaders): ClickHouseRequest {
  const at = url.searchParams;
  const settings: Record<string, string> = {};
  const params: Record<string, string> = {};
  for (const [name, value] of at) {
    if (name.startsWith('param_')) params[name.slice('param_'.length)] = value;
    else if (!reserved.has(name)) settings[name] = value;
  }
  if (method === 'GET') settings['readonly'] = '2';
  for (const native of ['compress', 'decompress']) {
    if (isTrue(at.get(native))) {
      throw exception(
        48,
        'NOT_IMPLEMENTED',
        `${native}=1 is not offered here; use Content-Encoding and Accept-Encoding.`,
      );
    }
  }
  return {
    query: at.get('query') ?? '',
    database: at.get('database') ?? header(headers, 'x-clickhouse-database') ?? 'default',
    format: at.get('default_format') ?? header(headers, 'x-clickhouse-format') ?? 'TabSeparated',
    queryId: at.get('query_id'),
    settings,
    params,
    ...credentials(at, headers),
    compressAnswer: isTrue(at.get('enable_http_compression')),
  };
}

function credentials(at: URLSearchParams, headers: IncomingHttpHeaders): { username: string; password: string } {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const [username = '', ...password] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    return { username, password: password.join(':') };
  }
  return {
    username: header(headers, 'x-clickhouse-user') ?? at.get('user') ?? 'default',
    password: header(headers, 'x-clickhouse-key') ?? at.get('password') ?? '',
  };
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function isTrue(value: string | null): boolean {
  return value === '1' || value === 'true';
}
