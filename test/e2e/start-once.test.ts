import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

describe('npm start -- --once', function () {
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-once-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('starts the stack, sees the rows of the first pipeline, takes all down, exits 0, and leaves no process', async () => {
    const { code, output } = await run([
      'scripts/bootstrap.mjs',
      'scripts/start.ts',
      '--once',
      '--data-dir',
      directory,
    ]);
    assert.equal(code, 0, output);
    assert.deepEqual(await processesNaming(directory), [], 'no process of the stack or its pods is left');
  });
});

async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return await new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** Command lines of processes that name a directory (Linux). */
async function processesNaming(dir: string): Promise<string[]> {
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((entry) => /^\d+$/.test(entry))
      .map((entry) => readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(dir)).map((line) => line.replaceAll('\0', ' '));
}
