/**
 * The port on which the API server asks. It listens from its first certificate on.
 *
 * P1  A certificate is exchanged without closing the port: connections that are open go on, new ones get the new one.
 * P2  A request is bounded in size and time: the port is open to whoever reaches it, because API servers show no identity.
 *     Nothing is read of one at another path than theirs (`./review-path.ts`).
 * P3  When it ends, questions that were asked are answered.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Clock } from '../../../model/clock.ts';
import { problemOf } from '../../../model/errors.ts';
import { milliseconds } from '../../../model/quantities.ts';
import type { ListenAddress } from '../../process/listen.ts';
import { listenOn } from '../../process/listen.ts';
import type { Admitted, Outcome } from './admission.ts';
import { parseReview, type AdmissionRequest } from './review.ts';

/** Where there is no Secret for another, and what others begin with. */
export const fixedPath = '/pipelines';

/** PEM. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

export interface ListenerOptions {
  readonly listen: ListenAddress;
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  /** False: this is nobody's path. */
  readonly takes: (path: string) => boolean;
  readonly admit: (request: AdmissionRequest, withinMs: number) => Promise<Admitted>;
  readonly onAnswer: (outcome: Outcome | 'failed', seconds: number) => void;
  readonly onError: (problem: string) => void;
}

export interface Listener {
  readonly port: number;
  /** P1. */
  use(pair: KeyPair): void;
  /** P3. */
  close(): Promise<void>;
}

/**
 * A review has the object twice, and of each the API server takes 3 MiB (MaxRequestBodyBytes in pkg/server/config.go of
 * k8s.io/apiserver). etcd keeps half of that, which leaves room for the rest of a review.
 */
const mostBytes = 6 * 2 ** 20;
const requestTimeoutMs = 10_000;
/** Longer than the API server keeps an idle connection (90 s): the one that asks must be the one that closes. */
const keepAliveMs = 120_000;
const drainMs = 5_000;
/** Half of what the API server waits, but not longer. */
const mostLookMs = 2_000;

export async function listen(options: ListenerOptions, pair: KeyPair): Promise<Listener> {
  const server = createServer(
    { ...pair, minVersion: 'TLSv1.2', requestTimeout: requestTimeoutMs, keepAliveTimeout: keepAliveMs },
    (request, response) => {
      if (isEnding) response.shouldKeepAlive = false;
      void serve(options, request, response);
    },
  );
  let isEnding = false;
  const { port } = await listenOn(server, options.listen);
  // What a client says that is not TLS, or not HTTP, is no event of ours.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return {
    port,
    use: (next) => server.setSecureContext(next),
    close: () => {
      isEnding = true;
      return drained(server, options.clock);
    },
  };
}

async function drained(server: Server, clock: Pick<Clock, 'after'>): Promise<void> {
  const cancel = clock.after(drainMs, () => server.closeAllConnections());
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  cancel();
}

async function serve(options: ListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { clock, onAnswer, onError } = options;
  const start = clock.monotonic();
  const tell = (outcome: Outcome | 'failed') => onAnswer(outcome, (clock.monotonic() - start) / 1_000);
  try {
    const url = new URL(request.url ?? '', 'https://webhook');
    if (!options.takes(url.pathname)) return send(response, 404, 'there is nothing here\n');
    if (request.method !== 'POST') return send(response, 405, 'reviews are sent by POST\n');
    const body = await bodyOf(request);
    if (body === undefined) return send(response, 413, `a review has at most ${mostBytes} bytes\n`);
    const review = parseReview(body);
    if (review === undefined) return send(response, 400, 'this is no AdmissionReview of admission.k8s.io/v1\n');
    const admitted = await options.admit(review, lookMs(url.searchParams.get('timeout')));
    tell(admitted.outcome);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(admitted.review));
  } catch (error) {
    // Who asked has gone.
    if (!request.complete) return;
    // The failurePolicy of the configuration says what becomes of the pipeline.
    onError(problemOf(error));
    tell('failed');
    send(response, 500, 'the review failed\n');
  }
}

function lookMs(timeout: string | null): number {
  return timeout !== null && /^\d+(ms|s)$/.test(timeout) ? Math.min(milliseconds(timeout) / 2, mostLookMs) : mostLookMs;
}

/** Undefined: it is too long. The rest is not read. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    if (!Buffer.isBuffer(part)) continue;
    bytes += part.length;
    if (bytes > mostBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function send(response: ServerResponse, status: number, text: string): void {
  // What was not read of the request must not be taken for the next one.
  response.shouldKeepAlive = false;
  if (!response.headersSent) response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(text);
}
