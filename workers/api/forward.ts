/**
 * Forwards a request with records to a pod of an http source, and its answer back, both as streams.
 *
 * F1  Nothing is buffered here: with 202 the pod says that the records are stored, with 429 that the caller must wait.
 * F2  A request goes to one pod only. A body is a stream and cannot be sent twice, so a pod that does not answer is a
 *     503, and the caller repeats the request with the same Idempotency-Key.
 * F3  A large body is sent only after the pod has asked for it: a refusal (401, 413, 429) then arrives first, and
 *     cannot be lost in a connection that breaks while the body is sent.
 */
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { mr, problemOf } from '../../model/errors.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

export interface RecordsRequest {
  readonly name: string;
  readonly source: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** How long to wait for an answer; the source itself answers 429 before. */
const answerTimeoutMs = 30_000;
const askFromBytes = 64 * 1024;

export async function forward(target: Target, records: RecordsRequest): Promise<IncomingMessage> {
  const outgoing = request({
    agent,
    host: target.host,
    port: target.port,
    path: target.path,
    method: 'POST',
    headers: isLarge(records) ? { ...records.headers, expect: '100-continue' } : records.headers,
    timeout: answerTimeoutMs,
  });
  outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer for ${answerTimeoutMs / 1000} s`)));
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  const { body } = records;
  // Not stream.pipeline: it would destroy the caller's request and with it the connection for the answer.
  body.once('error', (error) => outgoing.destroy(error));
  if (isLarge(records)) outgoing.once('continue', () => body.pipe(outgoing));
  else body.pipe(outgoing);
  try {
    return await answer;
  } catch (error) {
    throw mr(
      'MR_SOURCE_NOT_READY',
      { source: records.source, name: records.name, problem: `its pod at ${target.host} failed: ${problemOf(error)}` },
      { cause: error },
    );
  } finally {
    // A pod may answer (401, 413, 429) before it has read the whole body. The rest is read and discarded, because the
    // caller's next request follows on the same connection.
    if (!body.readableEnded) whenClosed(outgoing, () => body.unpipe(outgoing).resume());
  }
}

/** A smaller body has arrived before the pod looks at it. */
function isLarge({ headers }: RecordsRequest): boolean {
  return Number(headers['content-length'] ?? Infinity) > askFromBytes;
}

function whenClosed(outgoing: ClientRequest, act: () => void): void {
  if (outgoing.closed) act();
  else outgoing.once('close', act);
}

/** Headers of a request that a source may need. */
const forwarded = [
  'content-type',
  'content-length',
  'content-encoding',
  'authorization',
  'idempotency-key',
  'traceparent',
  'tracestate',
];

/** Headers of the answer that a caller may need. */
const returned = ['content-type', 'content-length', 'retry-after', 'accept-encoding', 'www-authenticate'];

export function forwardedHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return pick(headers, forwarded);
}

export function returnedHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return pick(headers, returned);
}

function pick(headers: NodeJS.Dict<string | string[]>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value] as const] : [];
    }),
  );
}
