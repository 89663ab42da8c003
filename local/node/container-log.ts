/**
 * The output of one container run.
 *
 * The process writes to `log` itself, so output continues while the node is down and needs no copying. The price: the
 * node learns the time of a line only by checking the file's size. `log.times` records which size the file had when,
 * and the time of a line is that of the first check after it: late by one check interval, or by the node's downtime.
 *
 * L1  At most two files of about `maxBytes`: `log`, and `log.1` with what came before.
 * L2  Rotation copies, then truncates, because the process keeps its descriptor. What is written in the microseconds
 *     between the last copy and the truncation is lost; nothing else is.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { appendFile, readFile, rename, stat } from 'node:fs/promises';

export const defaultMaxLogBytes = 20 * 2 ** 20;

export interface LogLine {
  readonly text: Buffer;
  readonly timeMs: number;
}

/** "At `timeMs` the file had `size` bytes." */
interface Mark {
  readonly timeMs: number;
  readonly size: number;
}

export class ContainerLog {
  readonly file: string;
  readonly #maxBytes: number;
  #seen: number | undefined;
  /** How often the file was rotated while this node watched it. */
  turns = 0;

  constructor(file: string, maxBytes: number) {
    this.file = file;
    this.#maxBytes = maxBytes;
  }

  /** Records growth, and rotates the file when it is full. */
  async look(nowMs: number): Promise<void> {
    const size = await sizeOf(this.file);
    this.#seen ??= (await marksOf(`${this.file}.times`)).at(-1)?.size ?? 0;
    if (size > this.#seen) await appendFile(`${this.file}.times`, `${Math.round(nowMs)} ${size}\n`, { mode: 0o600 });
    this.#seen = size;
    if (size >= this.#maxBytes) await this.#turnOver();
  }

  /** All lines that still exist, oldest first, and the offset of the next byte. */
  async lines(nowMs: number): Promise<{ lines: LogLine[]; end: number; turns: number }> {
    const turns = this.turns;
    const before = await readLines(`${this.file}.1`, nowMs);
    const now = await readLines(this.file, nowMs);
    return { lines: [...before.lines, ...now.lines], end: now.bytes, turns };
  }

  async #turnOver(): Promise<void> {
    await rename(`${this.file}.times`, `${this.file}.1.times`);
    copyAndCut(this.file, `${this.file}.1`);
    this.#seen = 0;
    this.turns++;
  }
}

/** L2: synchronous, so that no other code of this process runs between the last read and the truncation. */
function copyAndCut(from: string, to: string): void {
  const source = openSync(from, 'r+');
  const target = openSync(to, 'w', 0o600);
  try {
    const chunk = Buffer.allocUnsafe(2 ** 20);
    let position = 0;
    do {
      for (let read = 0; (read = readSync(source, chunk, 0, chunk.length, position)) > 0; position += read) {
        writeSync(target, chunk, 0, read);
      }
    } while (fstatSync(source).size > position);
    ftruncateSync(source, 0);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

async function readLines(file: string, nowMs: number): Promise<{ lines: LogLine[]; bytes: number }> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  const marks = await marksOf(`${file}.times`);
  const lines: LogLine[] = [];
  let mark = 0;
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    while (mark < marks.length && (marks[mark]?.size ?? 0) < end) mark++;
    lines.push({ text: bytes.subarray(start, end), timeMs: marks[mark]?.timeMs ?? nowMs });
    start = end;
  }
  return { lines, bytes: bytes.length };
}

async function marksOf(file: string): Promise<readonly Mark[]> {
  const text = await readFile(file, 'latin1').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [timeMs, size] = line.split(' ').map(Number);
      return { timeMs: timeMs ?? 0, size: size ?? 0 };
    });
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}
