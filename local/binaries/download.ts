/**
 * Official release files, verified.
 *
 * D1  Only over https; plain http is accepted from loopback alone, where tests serve the same layout.
 * D2  A file is used only when its SHA-256 is the one that the release publishes for it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { Release } from './catalog.ts';

const run = promisify(execFile);

/** An unreachable host must not delay the next way to get the binary. */
const connectTimeoutMs = 5_000;
/** Without a byte. However long a download takes on a slow line, it goes on while something arrives. */
const stalledMs = 60_000;

/** The host did not answer at all: there is no use in asking it for the next file. */
export class HostUnreachable extends Error {
  override readonly name = 'HostUnreachable';
}

/** Downloads, verifies and unpacks; resolves with the path of the executable inside `dir`. */
export async function downloadRelease(release: Release, dir: string): Promise<string> {
  const fileName = basename(new URL(release.url).pathname);
  using asking = new Patience(connectTimeoutMs);
  const sums = await (await get(release.checksumsUrl, asking.signal)).text();
  const wanted = checksumOf(sums, fileName);
  if (wanted === undefined) throw new Error(`${release.checksumsUrl} has no SHA-256 for ${fileName}`);
  const file = join(dir, fileName);
  using downloading = new Patience(stalledMs);
  await save(await get(release.url, downloading.signal), file, () => downloading.goOn());
  const actual = await sha256(file);
  if (actual !== wanted) {
    throw new Error(`${fileName} has SHA-256 ${actual}, but ${release.checksumsUrl} says ${wanted}`);
  }
  if (release.member === undefined) {
    await chmod(file, 0o755);
    return file;
  }
  await run('tar', ['-xf', file, '-C', dir, release.member]);
  return join(dir, release.member);
}

/** The sum for `fileName` in the lines of a checksum file, or the only sum there is. */
function checksumOf(sums: string, fileName: string): string | undefined {
  const lines = sums
    .split('\n')
    .map((line) => /^([0-9a-f]{64})(?:\s+\*?(\S+))?\s*$/i.exec(line.trim()))
    .filter((match) => match !== null);
  const [only] = lines;
  if (lines.length === 1 && only?.[2] === undefined) return only?.[1]?.toLowerCase();
  return lines.find((match) => match[2]?.replace(/^\.\//, '') === fileName)?.[1]?.toLowerCase();
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  refusePlainHttp(url);
  let answer: Response;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new HostUnreachable(`${new URL(url).host} does not answer: ${problem}`, { cause: error });
  }
  // A redirect may have left https.
  refusePlainHttp(answer.url);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer;
}

function refusePlainHttp(url: string): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || hostname === '127.0.0.1') return;
  throw new Error(`${url} must be https`);
}

async function save(answer: Response, file: string, onArrival: () => void): Promise<void> {
  if (!answer.body) throw new Error(`${answer.url} has no content`);
  const content = Readable.fromWeb(answer.body);
  content.on('data', onArrival);
  await pipeline(content, createWriteStream(file));
}

/** Gives up when nothing has happened for so long. */
class Patience implements Disposable {
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly signal = this.#end.signal;

  constructor(ms: number) {
    const problem = new Error(`nothing came for ${ms / 1_000} s`);
    this.#timer = setTimeout(() => this.#end.abort(problem), ms);
  }

  goOn(): void {
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
