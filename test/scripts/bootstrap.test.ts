import { deepStrictEqual, match, strictEqual } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { eventually } from '../support/eventually.ts';

const bootstrap = join(import.meta.dirname, '../../scripts/bootstrap.mjs');

/** Notes its arguments and "installs" a Node: a link to the one that runs this test. */
const fakeNpm = `#!/bin/sh
echo "$*" >> npm-calls
if [ "$1" = ci ] && [ -e refuse-ci ]; then echo 'npm error code EUSAGE' >&2; exit 1; fi
if [ -e break ]; then echo 'npm error no route to host' >&2; exit 1; fi
mkdir -p node_modules/node/bin
ln -sf "${process.execPath}" node_modules/node/bin/node
`;

describe('the bootstrap of the npm scripts', () => {
  let clone: string;

  beforeEach(async () => {
    clone = await mkdtemp(join(tmpdir(), 'millrace-bootstrap-'));
    await mkdir(join(clone, 'scripts'));
    await mkdir(join(clone, 'path'));
    await copyFile(bootstrap, join(clone, 'scripts', 'bootstrap.mjs'));
    await writeFile(join(clone, 'package-lock.json'), '{"lockfileVersion":3}');
    await writeFile(join(clone, 'path', 'npm'), fakeNpm, { mode: 0o755 });
    await writeFile(join(clone, 'task.mjs'), 'console.log(process.argv.slice(2).join(" "));');
  });
  afterEach(() => rm(clone, { recursive: true, force: true }));

  function start(...args: string[]) {
    const path = [join(clone, 'path'), process.env['PATH'] ?? ''].join(delimiter);
    const { npm_execpath: _, ...env } = process.env;
    const child = spawn(process.execPath, [join(clone, 'scripts', 'bootstrap.mjs'), ...args], {
      env: { ...env, PATH: path },
    });
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()));
    const ended = new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>(
      (resolve) => {
        child.once('close', (code) => resolve({ code, ...said }));
      },
    );
    return { child, said, ended };
  }

  const npmCalls = async () =>
    (await readFile(join(clone, 'npm-calls'), 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ')[0]);

  it('installs what is missing and hands the arguments over', async () => {
    const { code, out } = await start('task.mjs', '--once', 'x').ended;
    deepStrictEqual([code, out], [0, '--once x\n']);
    deepStrictEqual(await npmCalls(), ['ci']);
  });

  it('installs nothing the second time', async () => {
    await start('task.mjs').ended;
    await start('task.mjs').ended;
    deepStrictEqual(await npmCalls(), ['ci']);
  });

  it('installs again when package-lock.json has changed', async () => {
    await start('task.mjs').ended;
    await writeFile(join(clone, 'package-lock.json'), '{"lockfileVersion":3,"packages":{}}');
    await start('task.mjs').ended;
    deepStrictEqual(await npmCalls(), ['ci', 'ci']);
  });

  it('installs without packages of other platforms when the lock file lacks them', async () => {
    await writeFile(join(clone, 'refuse-ci'), '');
    strictEqual((await start('task.mjs').ended).code, 0);
    deepStrictEqual(await npmCalls(), ['ci', 'install']);
  });

  it('says what npm says when it fails, and runs nothing', async () => {
    await writeFile(join(clone, 'break'), '');
    const { code, out, err } = await start('task.mjs', 'ran').ended;
    deepStrictEqual([code, out], [1, '']);
    match(err, /no route to host\nnpm ended with code 1/);
  });

  it('ends with the exit code of the command', async () => {
    await writeFile(join(clone, 'task.mjs'), 'process.exit(7);');
    strictEqual((await start('task.mjs').ended).code, 7);
  });

  it('hands a signal on and ends as the command ends', async () => {
    await writeFile(
      join(clone, 'task.mjs'),
      'process.once("SIGTERM", () => process.exit(3)); console.log("up"); setInterval(() => undefined, 1000);',
    );
    const { child, said, ended } = start('task.mjs');
    await eventually(() => said.out.includes('up'));
    child.kill('SIGTERM');
    strictEqual((await ended).code, 3);
  });
});
