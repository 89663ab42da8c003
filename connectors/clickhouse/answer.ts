/**
 * One request to ClickHouse, and proof that ClickHouse has answered it.
 *
 * P1  An answer counts only if it carries what only ClickHouse sends: the id of this query, or another one with a summary
 *     (a proxy for ClickHouse may give queries ids of its own). Whatever else answers at the address (a maintenance page,
 *     a login, a gateway, a cache) is {@link ForeignAnswer}, whatever its status: it tells neither that something was done
 *     nor that it was not.
 * P2  An error is ClickHouse's if it carries ClickHouse's code in the header for it.
 * P3  ClickHouse answers when it is done (`wait_end_of_query`), so status 200 means done, and never that it has begun.
 */
import type { Readable } from 'node:stream';
import { parseError, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import { cut } from '../../model/text.ts';

export interface Request {
  readonly query: string;
  /** The data of an insert. */
  readonly values?: Readable;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly settings?: ClickHouseSettings;
  readonly signal?: AbortSignal | undefined;
}

class ForeignAnswer extends Error {
  override readonly name = 'ForeignAnswer';
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The body of ClickHouse's answer. Throws ClickHouseError, ForeignAnswer, and what the network throws. */
export async function answerTo(client: ClickHouseClient, request: Request): Promise<string> {
  const { query, values, params, settings, signal } = request;
  const shared = {
    query,
    clickhouse_settings: { ...settings, wait_end_of_query: 1 as const },
    // The client would tell by the status alone, and would keep nothing of an error but its text.
    ignore_error_response: true,
    ...(params === undefined ? {} : { query_params: { ...params } }),
    ...(signal === undefined ? {} : { abort_signal: signal }),
  };
  const answer = await client.exec(values === undefined ? shared : { ...shared, values });
  const headers: Headers = answer.response_headers;
  const status = answer.http_status_code ?? 0;
  const isError = textOf(headers['x-clickhouse-exception-code']) !== '';
  const isProven = isError || (status === 200 && isOfClickHouse(headers, answer.query_id));
  // To its end, which gives the connection back; somebody else's answer may have none.
  const body = await read(answer.stream, isProven ? Infinity : longestForeign);
  if (isError) throw parseError(body);
  if (!isProven) throw foreign(status, headers, body);
  return body;
}

/** For inserts, whose answer is empty: status 200 with a text may be an error that came too late for the status. */
export async function inserted(client: ClickHouseClient, request: Request): Promise<void> {
  const body = await answerTo(client, request);
  if (body !== '') throw new ForeignAnswer(`an insert, whose answer is empty, was answered: ${quote(body)}`);
}

function isOfClickHouse(headers: Headers, queryId: string): boolean {
  const id = textOf(headers['x-clickhouse-query-id']);
  return id === queryId || (id !== '' && textOf(headers['x-clickhouse-summary']).startsWith('{'));
}

function foreign(status: number, headers: Headers, body: string): ForeignAnswer {
  const place = URL.parse(textOf(headers['location']), 'http://same')?.host;
  const server = textOf(headers['server']);
  const what = [
    `status ${status}`,
    ...(place === undefined || textOf(headers['location']) === '' ? [] : [`to ${place}`]),
    ...(server === '' ? [] : [`from ${quote(server)}`]),
    body.trim() === '' ? 'without a body' : quote(body),
  ];
  return new ForeignAnswer(`the answer is not ClickHouse's: ${what.join(', ')}`);
}

const longestForeign = 4_096;
const longestQuote = 120;

async function read(stream: AsyncIterable<unknown>, most: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    if (!(piece instanceof Uint8Array)) continue;
    pieces.push(Buffer.from(piece));
    bytes += piece.length;
    if (bytes > most) break;
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** One line of it. */
function quote(text: string): string {
  return `"${cut(text.replaceAll(/\s+/g, ' ').trim(), longestQuote)}"`;
}

function textOf(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header) ?? '';
}
