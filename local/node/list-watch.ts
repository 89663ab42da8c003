/**
 * Everything of one kind, now and from now on.
 *
 * T1  After each (re)list the handler gets the complete set, so nothing deleted in between is missed.
 * T2  A watch that breaks, expires or falls silent leads to another, from the last version seen, or to a list.
 * T3  It never gives up before `signal` aborts; waits between failures grow to `maxDelayMs`.
 *
 * The API server ends a quiet stretch with a bookmark about once a minute: silence beyond `silenceMs` means that the
 * connection is dead though nobody closed it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { askedOf } from '../../kubernetes/asked.ts';
import { parseAnswer } from '../../kubernetes/kube-error.ts';
import { refusalOf, type Kube } from './kube.ts';

export interface Watched<T> {
  readonly path: string;
  /** Without `?`: `fieldSelector=…`. */
  readonly query?: string;
  /** As metadata only, when the content is of no interest. */
  readonly metadataOnly?: boolean;
  readonly parse: (object: unknown) => T;
  readonly onList: (objects: readonly T[]) => void;
  readonly onEvent: (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T) => void;
  readonly onTrouble: (error: unknown) => void;
}

const firstDelayMs = 100;
const maxDelayMs = 5_000;
const silenceMs = 90_000;
const watchSeconds = 300;

const versioned = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const list = z.object({ metadata: z.object({ resourceVersion: z.string() }), items: z.array(z.unknown()).nullish() });
const event = z.object({ type: z.string(), object: z.unknown() });
const errorEvent = z.object({ code: z.number().default(500) });

export async function listWatch<T>(kube: Kube, watched: Watched<T>, signal: AbortSignal): Promise<void> {
  const isOver = () => signal.aborted;
  const seen: Seen = { version: undefined };
  let failures = 0;
  while (!isOver()) {
    try {
      seen.version ??= await listAll(kube, watched, signal);
      await watchFrom(kube, watched, seen, signal);
      failures = 0;
    } catch (error) {
      if (isOver()) return;
      // T2: 410 means that the version is too old; any other refusal of a watch is healed by a list, too.
      if (refusalOf(error) !== undefined) seen.version = undefined;
      watched.onTrouble(error);
      const wait = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(failures++, 10));
      await delay(wait, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** The version up to which everything was handed on: a watch that breaks must not tell old news again. */
interface Seen {
  version: string | undefined;
}

async function listAll<T>(kube: Kube, watched: Watched<T>, signal: AbortSignal): Promise<string> {
  const accept = watched.metadataOnly ? metadata('PartialObjectMetadataList') : 'application/json';
  const path = `${watched.path}?${watched.query ?? ''}`;
  const all = list.parse(await kube.json({ path, accept, signal }));
  watched.onList((all.items ?? []).map(watched.parse));
  return all.metadata.resourceVersion;
}

/** Returns when the server ends the watch in good order, or when it is silent. */
async function watchFrom<T>(kube: Kube, watched: Watched<T>, seen: Seen, signal: AbortSignal): Promise<void> {
  const silent = new AbortController();
  const path =
    `${watched.path}?${watched.query ? `${watched.query}&` : ''}watch=1&allowWatchBookmarks=true` +
    `&timeoutSeconds=${watchSeconds}&resourceVersion=${encodeURIComponent(seen.version ?? '')}`;
  let timer = setTimeout(() => silent.abort(), silenceMs);
  try {
    const body = await kube.open({
      path,
      accept: watched.metadataOnly ? metadata('PartialObjectMetadata') : 'application/json',
      signal: AbortSignal.any([signal, silent.signal]),
    });
    for await (const line of linesOf(body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silenceMs);
      seen.version = handle(event.parse(JSON.parse(line)), watched);
    }
  } catch (error) {
    if (!silent.signal.aborted || signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** readline would swallow an error of the stream; here it is thrown. */
async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
}

function handle<T>({ type, object }: z.infer<typeof event>, watched: Watched<T>): string {
  if (type === 'ERROR') {
    const { code } = errorEvent.parse(object);
    const asked = askedOf({ method: 'GET', path: watched.path, query: { watch: true } });
    throw parseAnswer({ status: code, body: JSON.stringify(object) }, asked, `watch ${watched.path}`, 'the API server');
  }
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') watched.onEvent(type, watched.parse(object));
  return versioned.parse(object).metadata.resourceVersion;
}

function metadata(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`;
}
