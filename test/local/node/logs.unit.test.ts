import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContainerLog } from '../../../local/node/container-log.ts';
import { parseQuery } from '../../../local/node/kubelet-server.ts';
import { logStream, type LogQuery } from '../../../local/node/log-stream.ts';

const all: LogQuery = {
  follow: false,
  timestamps: false,
  tailLines: undefined,
  sinceMs: undefined,
  limitBytes: undefined,
};

describe('container log', () => {
  let dir: string;
  let file: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-log-'));
    file = join(dir, 'log');
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  const text = async (log: ContainerLog, query: Partial<LogQuery> = {}, isEnded = () => true) => {
    let read = '';
    for await (const chunk of logStream({ log, isEnded }, { ...all, ...query }, new AbortController().signal)) {
      read += chunk.toString();
    }
    return read;
  };

  it('gives a line the time of the first look after it', async () => {
    const log = new ContainerLog(file, 1_000);
    await appendFile(file, 'a\nb\n');
    await log.look(1_000);
    await appendFile(file, 'c\n');
    await log.look(2_000);
    await appendFile(file, 'd\n');
    const { lines } = await log.lines(3_000);
    deepStrictEqual(
      lines.map((line) => [line.text.toString(), line.timeMs]),
      [
        ['a\n', 1_000],
        ['b\n', 1_000],
        ['c\n', 2_000],
        ['d\n', 3_000],
      ],
    );
    strictEqual(
      await text(log, { sinceMs: 2_000, timestamps: true, tailLines: 2, limitBytes: 27 }),
      '1970-01-01T00:00:02.000Z c\n',
    );
  });

  it('goes on where a node before this one stopped looking', async () => {
    await appendFile(file, 'a\n');
    await new ContainerLog(file, 1_000).look(1_000);
    await new ContainerLog(file, 1_000).look(5_000);
    const { lines } = await new ContainerLog(file, 1_000).lines(9_000);
    strictEqual(lines[0]?.timeMs, 1_000);
  });

  it('L1: turns over when full and keeps what came before', async () => {
    const log = new ContainerLog(file, 10);
    for (let n = 0; n < 30; n++) {
      await appendFile(file, `${n}\n`);
      await log.look(n);
    }
    ok((await stat(file)).size < 10);
    ok((await stat(`${file}.1`)).size <= 12);
    const lines = (await text(log)).trim().split('\n').map(Number);
    strictEqual(lines.at(-1), 29);
    deepStrictEqual(
      lines,
      Array.from({ length: lines.length }, (_, index) => 30 - lines.length + index),
    );
  });

  it('L2: a follower loses and repeats nothing when the log turns over', async () => {
    const log = new ContainerLog(file, 1_000);
    let isEnded = false;
    await appendFile(file, 'start\n');
    const following = text(log, { follow: true }, () => isEnded);
    const wanted = ['start'];
    for (let n = 0; n < 600; n++) {
      await appendFile(file, `line ${n}\n`);
      wanted.push(`line ${n}`);
      // Seldom enough that the follower, which looks ten times a second, meets each turn.
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (n === 300) await log.look(n);
    }
    isEnded = true;
    deepStrictEqual((await following).trim().split('\n'), wanted);
    strictEqual(log.turns, 1);
  });

  it('shows a line that has no end yet', async () => {
    await appendFile(file, 'a\nhalf');
    strictEqual(await text(new ContainerLog(file, 100)), 'a\nhalf');
    strictEqual(await text(new ContainerLog(file, 100), { follow: true }), 'a\nhalf');
  });

  it('is empty when there is none', async () => {
    strictEqual(await text(new ContainerLog(file, 100)), '');
  });

  it('reads what kubectl asks for, and refuses what makes no sense', () => {
    const parse = (query: string) => parseQuery(new URLSearchParams(query), 100_000);
    deepStrictEqual(parse('follow=true&tailLines=5&sinceSeconds=10'), {
      ...all,
      follow: true,
      tailLines: 5,
      sinceMs: 90_000,
    });
    strictEqual(parse('tailLines=x'), 'tailLines must be a whole number, not "x"');
    strictEqual(parse('sinceTime=x'), 'sinceTime must be an RFC 3339 time, not "x"');
  });
});
