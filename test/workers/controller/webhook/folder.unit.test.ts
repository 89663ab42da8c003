import { equal, match } from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderCertificates } from '../../../../workers/controller/webhook/certificates/folder.ts';
import { makeAuthority } from '../../../../workers/controller/webhook/certificates/issue.ts';
import type { KeyPair } from '../../../../workers/controller/webhook/listener.ts';
import { HandClock } from '../../../support/hand-clock.ts';

describe('a certificate from a folder', () => {
  let dir: string;
  let clock: HandClock;
  let first: KeyPair;
  let second: KeyPair;
  let served: string[];
  let problems: string[];
  let source: FolderCertificates;
  const end = { abort: (): void => undefined };

  before(async () => {
    const span = { from: 0, until: 4_000_000_000_000 };
    [first, second] = [await makeAuthority(span), await makeAuthority(span)];
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-folder-'));
    clock = new HandClock();
    served = [];
    problems = [];
    source = new FolderCertificates(dir, {
      clock,
      onPair: (pair) => Promise.resolve(void served.push(pair.cert)),
      onProblem: (problem) => void problems.push(problem),
    });
  });
  afterEach(async () => {
    end.abort();
    await rm(dir, { recursive: true });
  });

  const write = async ({ cert, key }: KeyPair) => {
    await writeFile(join(dir, 'tls.crt'), cert);
    await writeFile(join(dir, 'tls.key'), key);
  };
  const run = async () => {
    const stop = new AbortController();
    const running = source.run(stop.signal);
    end.abort = () => stop.abort(new Error('the test ends'));
    await clock.advance(0);
    return running;
  };

  it('is served, and the next one when the files have changed', async () => {
    await write(first);
    void run();
    await clock.advance(0);
    await clock.advance(5_000);
    equal(served.length, 1);
    await write(second);
    await clock.advance(5_000);
    equal(served.join(), `${first.cert},${second.cert}`);
  });

  it('is waited for, with a sentence that names the folder', async () => {
    void run();
    await clock.advance(20_000);
    equal(problems.length, 1);
    match(
      problems[0] ?? '',
      /millrace-folder-\S+, with which the webhook is accessed, cannot be used: it has no tls\.crt/,
    );
    await write(first);
    await clock.advance(5_000);
    equal(served.length, 1);
    equal(source.problem, undefined);
  });

  it('is not served halfway: a certificate with the key of another, or none', async () => {
    await write(first);
    void run();
    await clock.advance(5_000);
    await writeFile(join(dir, 'tls.crt'), second.cert);
    await clock.advance(5_000);
    match(source.problem ?? '', /tls\.key is not the key of tls\.crt/);
    await rm(join(dir, 'tls.key'));
    await clock.advance(5_000);
    match(source.problem ?? '', /tls\.crt is there, and tls\.key, which belongs to it, is not/);
    equal(served.join(), first.cert);
    await write(second);
    await clock.advance(5_000);
    equal(served.length, 2);
  });
});
