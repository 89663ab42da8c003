/**
 * Follows all objects of a kind.
 *
 * W1  After every (re)connection that lost its place the whole list is handed over: a missed event is found there.
 * W2  A connection that is silent longer than the server's bookmarks allow is dropped and made again.
 * W3  Errors end a connection, never the watch: it goes on with growing pauses until the signal ends it.
 * W4  The list is read again every `relistMs`, even when nothing failed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { problemOf } from '../model/errors.ts';
import { askedOf } from './asked.ts';
import { KubeError, parseAnswer } from './kube-error.ts';
import { acceptOf, selectorOf, type Kube, type ListOptions } from './kube.ts';
import { objectSchema, pathOf, type KindName, type KubeObject } from './objects.ts';

export interface WatchOptions extends ListOptions {
  readonly kind: KindName;
  readonly signal: AbortSignal;
  readonly onList: (objects: readonly KubeObject[]) => void;
  readonly onChange: (change: 'changed' | 'deleted', object: KubeObject) => void;
  readonly onError: (problem: string) => void;
  /** Default 10 min. */
  readonly relistMs?: number;
  /** Default 150 s: the server sends a bookmark about every minute. */
  readonly silenceMs?: number;
  /** Pause after the first failure; doubles up to 30 s. Default 1 s. */
  readonly retryMs?: number;
}

const eventSchema = z.looseObject({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
});
const maxRetryMs = 30_000;

/** Resolves when `signal` is aborted. */
export async function watchObjects(kube: Kube, options: WatchOptions): Promise<void> {
  const { signal, relistMs = 600_000, retryMs = 1_000 } = options;
  let position: string | undefined;
  let relistAt = 0;
  let pauseMs = retryMs;
  let listedAt = 0;
  while (!signal.aborted) {
    try {
      if (position === undefined || Date.now() >= relistAt) {
        listedAt = Date.now();
        const list = await kube.list(options.kind, options);
        options.onList(list.items);
        position = list.resourceVersion;
        relistAt = Date.now() + relistMs;
      }
      const connectedAt = Date.now();
      position = await follow(kube, options, position, relistAt - connectedAt);
      pauseMs = retryMs;
      // A server that hangs up at once must not be asked in a tight loop.
      if (Date.now() - connectedAt < retryMs) await delay(retryMs, undefined, { signal });
    } catch (error) {
      if (isAborted(signal)) return;
      // That the place in a watch is too old is not an error: the list is read anew. A list that says so itself, or has just
      // been read, is one: a server that answers so must not be asked in a tight loop.
      const isStale = error instanceof KubeError && error.isExpired();
      const isOld = position !== undefined && Date.now() - listedAt >= retryMs;
      if (isStale) position = undefined;
      if (isStale && isOld) continue;
      options.onError(problemOf(error));
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, maxRetryMs);
    }
  }
}

/** One connection. Returns the last resourceVersion when it ends in order. */
async function follow(kube: Kube, options: WatchOptions, from: string, forMs: number): Promise<string> {
  const { silenceMs = 150_000 } = options;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error(`silent for ${silenceMs} ms`)), silenceMs);
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let position = from;
  try {
    const response = await kube.transport.open({
      method: 'GET',
      path: pathOf(options.kind, { namespace: options.namespace }),
      query: {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: from,
        timeoutSeconds: Math.max(1, Math.ceil(forMs / 1_000)),
        labelSelector: selectorOf(options.labels),
      },
      accept: acceptOf(options, 'PartialObjectMetadata'),
      what: `watch ${options.kind}`,
      signal,
    });
    response.setEncoding('utf8');
    let rest = '';
    for await (const chunk of response) {
      timer.refresh();
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') position = handle(line, options, kube.server) ?? position;
    }
    return position;
  } catch (error) {
    if (silence.signal.aborted) return position;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function handle(line: string, options: WatchOptions, server: string): string | undefined {
  const event = eventSchema.parse(JSON.parse(line));
  if (event.type === 'ERROR') {
    const { code } = z.looseObject({ code: z.number().default(500) }).parse(event.object);
    const asked = askedOf({ method: 'GET', path: pathOf(options.kind, options), query: { watch: true } });
    throw parseAnswer({ status: code, body: JSON.stringify(event.object) }, asked, `watch ${options.kind}`, server);
  }
  const object = objectSchema.parse(event.object);
  if (event.type !== 'BOOKMARK') options.onChange(event.type === 'DELETED' ? 'deleted' : 'changed', object);
  return object.metadata.resourceVersion;
}

/** A function, so that the compiler does not conclude from the loop's condition that this cannot be true. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
