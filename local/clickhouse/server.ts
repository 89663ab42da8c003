/**
 * ClickHouse's HTTP interface over the engine in this process.
 *
 * H1  An answer is sent when the statement has ended: status 200 means that it is done, and an insert stored.
 * H2  A failure has ClickHouse's text, its `X-ClickHouse-Exception-Code`, and the status that ClickHouse gives it.
 * H3  Nothing runs before user and password are verified. No web page may send a request at all: the user of the local
 *     stack has no password.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { foreignness } from '../../model/request-origin.ts';
import { collect, decodedBody, encodedAnswer } from './body.ts';
import type { Answer, Engine } from './engine.ts';
import { asException, exception, httpStatusOf } from './exceptions.ts';
import type { Inserter } from './insert.ts';
import { parseRequest, type ClickHouseRequest } from './request.ts';
import type { Spool } from './spool.ts';
import { keepsTables, outputFormat, parseInsert, verbOf, type InsertHead } from './statement.ts';

export interface ServerOptions {
  readonly engine: Engine;
  readonly inserter: Inserter;
  readonly spool: Spool;
  readonly username: string;
  readonly password: string;
  /** What the engine says of itself: goes with every error, as ClickHouse does it. */
  readonly version: string;
  readonly timezone: string;
}

interface Done {
  readonly answer: Answer;
  readonly format: string;
}

/** Longest head of an insert that is looked for at the start of a body, as `max_query_size`. */
const maxHeadBytes = 256 * 1024;

export function clickhouseServer(options: ServerOptions): Server {
  const server = createServer((request, response) => {
    void respond(options, request, response);
  });
  // An insert may take as long as it needs to arrive and to run.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 30_000;
  return server;
}

async function respond(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const method = request.method ?? 'GET';
  response.setHeader('X-ClickHouse-Server-Display-Name', 'millrace');
  response.setHeader('X-ClickHouse-Timezone', options.timezone);
  const foreign = foreignness(request);
  if (foreign !== undefined) {
    response.writeHead(403, { 'Content-Type': 'text/plain; charset=UTF-8', Connection: 'close' }).end(`${foreign}\n`);
    return;
  }
  if (url.pathname === '/ping' || url.pathname === '/replicas_status' || (method === 'GET' && url.search === '')) {
    response.end('Ok.\n');
    return;
  }
  try {
    if (url.pathname !== '/') throw exception(404, 'NOT_FOUND', `There is no handle ${url.pathname}`);
    const asked = parseRequest(method, url, request.headers);
    authenticate(options, asked);
    response.setHeader('X-ClickHouse-Query-Id', asked.queryId ?? randomUUID());
    const done = await execute(options, asked, request);
    response.setHeader('X-ClickHouse-Summary', summary(done.answer));
    response.setHeader('X-ClickHouse-Format', done.format);
    response.setHeader('Content-Type', contentType(done.format));
    await send(response, 200, done.answer.bytes, asked.compressAnswer ? request.headers['accept-encoding'] : undefined);
  } catch (error) {
    const { code, message } = asException(error);
    response.setHeader('X-ClickHouse-Exception-Code', code);
    response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
    const text = Buffer.from(`${message} (version ${options.version})\n`);
    // The rest of the body is read and dropped, so that the client reads the answer and the connection stays open.
    request.resume();
    await send(response, httpStatusOf(code), text, undefined);
  }
}

async function send(response: ServerResponse, status: number, body: Uint8Array, accepted: string | undefined) {
  const { bytes, encoding } = await encodedAnswer(body, accepted);
  if (encoding !== null) response.setHeader('Content-Encoding', encoding);
  response.writeHead(status, { 'Content-Length': bytes.length });
  response.end(bytes);
}

function authenticate(options: ServerOptions, { username, password }: ClickHouseRequest): void {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const rightName = timingSafeEqual(digest(username), digest(options.username));
  const rightPassword = timingSafeEqual(digest(password), digest(options.password));
  if (rightName && rightPassword) return;
  const why = 'Authentication failed: password is incorrect, or there is no user with such name.';
  throw exception(516, 'AUTHENTICATION_FAILED', `${username}: ${why}`);
}

async function execute(options: ServerOptions, asked: ClickHouseRequest, request: IncomingMessage): Promise<Done> {
  const body = decodedBody(request);
  const head = asked.query === '' ? null : parseInsert(asked.query);
  if (head) {
    const inQuery = Buffer.from(asked.query.slice(head.dataStart));
    return insert(options, asked, head, chain(inQuery, body));
  }
  const bytes = await collect(body);
  if (asked.query === '') {
    const headInBody = parseInsert(bytes.toString('latin1', 0, maxHeadBytes));
    if (headInBody) {
      return insert(options, asked, decodedHead(headInBody), chain(bytes.subarray(headInBody.dataStart), []));
    }
  }
  return statement(options, asked, asked.query + bytes.toString('utf8'));
}

async function insert(
  { inserter, spool }: ServerOptions,
  { database, settings }: ClickHouseRequest,
  head: InsertHead,
  data: AsyncIterable<Uint8Array>,
): Promise<Done> {
  const answer = await spool.with(data, (path) => inserter.insert(head, path, { database, settings }));
  return { answer, format: 'TabSeparated' };
}

async function statement({ engine, inserter }: ServerOptions, asked: ClickHouseRequest, sql: string): Promise<Done> {
  const { database, settings, params, format } = asked;
  if (sql.trim() === '') throw exception(62, 'SYNTAX_ERROR', 'Empty query');
  const verb = verbOf(sql);
  try {
    const answer = await engine.run({ sql, format, database, settings, params });
    return { answer, format: outputFormat(sql) ?? format };
  } finally {
    if (!keepsTables(verb)) inserter.forgetTables();
  }
}

/** The head was read as Latin-1 to count bytes; its names may be UTF-8. */
function decodedHead(head: InsertHead): InsertHead {
  const utf8 = (text: string) => Buffer.from(text, 'latin1').toString('utf8');
  return {
    ...head,
    table: utf8(head.table),
    columns: head.columns === null ? null : utf8(head.columns),
    settings: head.settings === null ? null : utf8(head.settings),
  };
}

async function* chain(first: Uint8Array, rest: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  if (first.length > 0) yield first;
  yield* rest;
}

/** What the engine reports: nothing about rows written, so this does not either. */
function summary({ bytes, rowsRead, bytesRead, elapsedSeconds }: Answer): string {
  return JSON.stringify({
    read_rows: String(rowsRead),
    read_bytes: String(bytesRead),
    total_rows_to_read: '0',
    result_bytes: String(bytes.length),
    elapsed_ns: String(Math.round(elapsedSeconds * 1e9)),
  });
}

function contentType(format: string): string {
  if (/^JSON(EachRow|Compact.*EachRow.*)$/.test(format)) return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8';
  if (format.startsWith('CSV')) return 'text/csv; charset=UTF-8';
  if (/^(TabSeparated|TSV|Pretty|Vertical|Values)/.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  return 'application/octet-stream';
}
