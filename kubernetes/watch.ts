/**
 * Follows all objects of a kind.
 *
 * W1  After every (re)connection that lost its position the whole list is handed over, so a missed event is found
 *     there.
 * W2  A connection that is silent longer than the server's bookmarks allow is dropped and reopened.
 * W3  Errors end a connection, never the watch: it continues with growing pauses until the signal ends it.
 * W4  The list is read again every `relistMs`, even when nothing failed.
 * W5  Of each object only the result of `keep` is held, page by page: a list of ten thousand objects is never in memory
 *     as the server sent it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Clock } from '../model/clock.ts';
import { problemOf } from '../model/errors.ts';
import { isAborted } from '../model/is-aborted.ts';
import { askedOf } from './asked.ts';
import { KubeError, parseAnswer } from './kube-error.ts';
import { acceptOf, selectorOf, type Kube, type ListOptions } from './kube.ts';
import { objectSchema, pathOf, type KindName, type KubeObject } from './objects.ts';

/** What a watch needs of time. Injected by callers that have a clock; the machine's by default. */
export type WatchClock = Pick<Clock, 'now' | 'sleep' | 'after'>;

const wallClock: WatchClock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

export interface WatchOptions<Kept = KubeObject> extends Omit<ListOptions, 'onPage'> {
  readonly kind: KindName;
  readonly signal: AbortSignal;
  /** Called when a list starts to be read. */
  readonly onListing?: () => void;
  readonly onList: (objects: readonly Kept[]) => void;
  readonly onChange: (change: 'changed' | 'deleted', object: Kept) => void;
  readonly onError: (problem: string) => void;
  /** Default 10 min. */
  readonly relistMs?: number;
  /** Default 150 s: the server sends a bookmark about every minute. */
  readonly silenceMs?: number;
  /** Pause after the first failure; doubles with each further one. Default 1 s. */
  readonly retryMs?: number;
  /** Longest pause. Default 30 s. */
  readonly maxRetryMs?: number;
  readonly clock?: WatchClock;
}

const eventSchema = z.looseObject({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
});

export interface KeepingOptions<Kept> extends WatchOptions<Kept> {
  /** The part of an object to keep; undefined: none, as if the object did not exist. */
  readonly keep: (object: KubeObject) => Kept | undefined;
}

/** Resolves when `signal` is aborted. */
export function watchObjects(kube: Kube, options: WatchOptions): Promise<void> {
  return watchKept(kube, { ...options, keep: (object) => object });
}

/** The same for the kept part of each object (W5). */
export async function watchKept<Kept>(kube: Kube, options: KeepingOptions<Kept>): Promise<void> {
  const { signal, relistMs = 600_000, retryMs = 1_000, maxRetryMs = 30_000, clock = wallClock } = options;
  let position: string | undefined;
  let relistAt = 0;
  let pauseMs = retryMs;
  let listedAt = 0;
  while (!signal.aborted) {
    try {
      if (position === undefined || clock.now() >= relistAt) {
        listedAt = clock.now();
        position = await list(kube, options);
        relistAt = clock.now() + relistMs;
      }
      const connectedAt = clock.now();
      position = await follow(kube, options, position, relistAt - connectedAt);
      pauseMs = retryMs;
      // A server that hangs up at once must not be asked in a tight loop.
      if (clock.now() - connectedAt < retryMs) await clock.sleep(retryMs, signal);
    } catch (error) {
      if (isAborted(signal)) return;
      // A position that is too old is not an error: the list is read again. But if the list itself says so, or has
      // just been read, it is an error: a server that answers like this must not be asked in a tight loop.
      const isStale = error instanceof KubeError && error.isExpired();
      const isOld = position !== undefined && clock.now() - listedAt >= retryMs;
      if (isStale) position = undefined;
      if (isStale && isOld) continue;
      options.onError(problemOf(error));
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, maxRetryMs);
    }
  }
}

/** W5. Returns the resourceVersion of the list. */
async function list<Kept>(kube: Kube, options: KeepingOptions<Kept>): Promise<string> {
  const { kind, namespace, labels, fields, metadataOnly, keep } = options;
  const kept: Kept[] = [];
  options.onListing?.();
  const { resourceVersion } = await kube.list(kind, {
    ...{ namespace, labels, fields, metadataOnly },
    onPage: (objects) => {
      for (const object of objects) {
        const wanted = keep(object);
        if (wanted !== undefined) kept.push(wanted);
      }
    },
  });
  options.onList(kept);
  return resourceVersion;
}

/** One connection. Returns the last resourceVersion when it ends normally. */
async function follow<Kept>(kube: Kube, options: KeepingOptions<Kept>, from: string, forMs: number): Promise<string> {
  const { silenceMs = 150_000, clock = wallClock } = options;
  const silence = new AbortController();
  const wait = () => clock.after(silenceMs, () => silence.abort(new Error(`silent for ${silenceMs} ms`)));
  let stopWaiting = wait();
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
        fieldSelector: selectorOf(options.fields),
      },
      accept: acceptOf(options, 'PartialObjectMetadata'),
      what: `watch ${options.kind}`,
      signal,
    });
    response.setEncoding('utf8');
    let rest = '';
    for await (const chunk of response) {
      stopWaiting();
      stopWaiting = wait();
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') position = handle(line, options, kube.server) ?? position;
    }
    return position;
  } catch (error) {
    if (silence.signal.aborted) return position;
    throw error;
  } finally {
    stopWaiting();
  }
}

function handle<Kept>(line: string, options: KeepingOptions<Kept>, server: string): string | undefined {
  const event = eventSchema.parse(JSON.parse(line));
  if (event.type === 'ERROR') {
    const { code } = z.looseObject({ code: z.number().default(500) }).parse(event.object);
    const asked = askedOf({ method: 'GET', path: pathOf(options.kind, options), query: { watch: true } });
    throw parseAnswer({ status: code, body: JSON.stringify(event.object) }, asked, `watch ${options.kind}`, server);
  }
  const object = objectSchema.parse(event.object);
  const kept = event.type === 'BOOKMARK' ? undefined : options.keep(object);
  if (kept !== undefined) options.onChange(event.type === 'DELETED' ? 'deleted' : 'changed', kept);
  return object.metadata.resourceVersion;
}
