import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLine, rotateLog } from '../../local/log-file.ts';

describe('a log file of the local stack', () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-log-'));
    file = join(dir, 'part.log');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('is quoted by its last line that is not empty', async () => {
    await writeFile(file, 'first\nlast\n\n');
    strictEqual(await lastLine(file), 'last');
  });

  it('is quoted by nothing when it is empty or not there', async () => {
    strictEqual(await lastLine(file), undefined);
    await writeFile(file, '');
    strictEqual(await lastLine(file), undefined);
  });

  it('is moved aside when it is large, and only then', async () => {
    await writeFile(file, 'x');
    await rotateLog(file);
    deepStrictEqual(await readdir(dir), ['part.log']);
    await truncate(file, 65 * 2 ** 20);
    await rotateLog(file);
    deepStrictEqual(await readdir(dir), ['part.log.1']);
  });
});
