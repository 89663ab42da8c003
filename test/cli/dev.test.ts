import { deepStrictEqual, match, strictEqual } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const program = join(import.meta.dirname, '../../cli/millrace.ts');

describe('millrace dev', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'millrace-dev-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const dev = (...args: string[]) =>
    new Promise<{ readonly code: unknown; readonly out: string; readonly err: string }>((resolve) => {
      execFile(process.execPath, [program, 'dev', ...args, '--data-dir', dataDir], (error, out, err) =>
        resolve({ code: error?.code ?? 0, out, err }),
      );
    });

  it('status where nothing runs says so and ends with the code of not found', async () => {
    const { code, out, err } = await dev('status');
    deepStrictEqual([code, out], [6, '']);
    match(err, /MR_STACK_NOT_RUNNING: No local stack is running in/);
  });

  it('down where nothing runs is no error', async () => {
    const { code, err } = await dev('down');
    deepStrictEqual([code, err], [0, 'It was not running.\n']);
  });

  it('a port with an unknown name is refused with the names there are', async () => {
    const { code, err } = await dev('up', '--port', 'nuts=1');
    strictEqual(code, 2);
    match(err, /names are nats, nats-monitor, temporal/);
  });

  it('an unknown part is refused with the parts there are', async () => {
    const { code, err } = await dev('up', '--with', 'mysql');
    strictEqual(code, 2);
    match(err, /Known are kafka, postgres/);
  });
});
