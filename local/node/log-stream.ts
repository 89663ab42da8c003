/** What `kubectl logs` requests: which part of a container's log, in which form, and whether to follow it. */
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerLog, LogLine } from './container-log.ts';

export interface LogQuery {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly sinceMs: number | undefined;
  readonly limitBytes: number | undefined;
}

export interface LogSource {
  readonly log: ContainerLog;
  /** The run has ended: the file will not grow any more. */
  readonly isEnded: () => boolean;
}

const pollMs = 100;

/** Yields chunks until the log's end; with `follow`, until the run has ended and all is read, or `signal` aborts. */
export async function* logStream(source: LogSource, query: LogQuery, signal: AbortSignal): AsyncGenerator<Buffer> {
  let left = query.limitBytes ?? Infinity;
  for await (const chunk of unlimited(source, query, signal)) {
    if (chunk.length >= left) {
      yield chunk.subarray(0, left);
      return;
    }
    left -= chunk.length;
    yield chunk;
  }
}

async function* unlimited(source: LogSource, query: LogQuery, signal: AbortSignal): AsyncGenerator<Buffer> {
  // Kept open: when the pod is deleted, its directory may be removed before the last lines are read.
  const file = await open(source.log.file, 'r').catch(() => undefined);
  try {
    yield* withFile(file, source, query, signal);
  } finally {
    await file?.close();
  }
}

async function* withFile(
  file: FileHandle | undefined,
  source: LogSource,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { lines, end, turns } = await source.log.lines(Date.now());
  const last = lines.at(-1);
  // With timestamps a line is shown when it is complete; its beginning is read again by the follower.
  const isCut = query.follow && query.timestamps && last !== undefined && last.text.at(-1) !== 10;
  const shown = select(isCut ? lines.slice(0, -1) : lines, query);
  if (shown.length > 0) yield Buffer.concat(shown.map((line) => render(line, query)));
  if (!query.follow || !file) return;
  yield* follow(file, source, query, { position: end - (isCut ? last.text.length : 0), turns }, signal);
}

function select(lines: readonly LogLine[], query: LogQuery): readonly LogLine[] {
  const { sinceMs, tailLines } = query;
  const recent = sinceMs === undefined ? lines : lines.filter((line) => line.timeMs >= sinceMs);
  if (tailLines === undefined) return recent;
  return tailLines === 0 ? [] : recent.slice(-tailLines);
}

function render(line: LogLine, query: LogQuery): Buffer {
  if (!query.timestamps) return line.text;
  return Buffer.concat([Buffer.from(`${new Date(line.timeMs).toISOString()} `), line.text]);
}

async function* follow(
  file: FileHandle,
  { log, isEnded }: LogSource,
  query: LogQuery,
  from: { position: number; turns: number },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let { position, turns } = from;
  let cut = Buffer.alloc(0);
  while (!signal.aborted) {
    // Checked before reading: what is written between the last read and the end must not be missed.
    const wasEnded = isEnded();
    const fresh: Buffer[] = [];
    if (log.turns !== turns) {
      fresh.push(await readPath(`${log.file}.1`, position));
      turns = log.turns;
      position = 0;
    }
    const bytes = await readFrom(file, position);
    position += bytes.length;
    const all = Buffer.concat([cut, ...fresh, bytes]);
    const ready = query.timestamps && !wasEnded ? all.subarray(0, all.lastIndexOf(10) + 1) : all;
    cut = all.subarray(ready.length);
    if (ready.length > 0) yield query.timestamps ? stamped(ready, query) : ready;
    if (wasEnded) return;
    await delay(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

function stamped(bytes: Buffer, query: LogQuery): Buffer {
  const timeMs = Date.now();
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    lines.push(render({ text: bytes.subarray(start, end), timeMs }, query));
    start = end;
  }
  return Buffer.concat(lines);
}

async function readPath(path: string, position: number): Promise<Buffer> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return Buffer.alloc(0);
  try {
    return await readFrom(file, position);
  } finally {
    await file.close();
  }
}

async function readFrom(file: FileHandle, position: number): Promise<Buffer> {
  const { size } = await file.stat();
  if (size <= position) return Buffer.alloc(0);
  const bytes = Buffer.alloc(size - position);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
  return bytes.subarray(0, bytesRead);
}
