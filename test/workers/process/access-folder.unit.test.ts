import { equal, throws } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessFolder } from '../../../workers/process/access-folder.ts';

describe('folder with what lets one in', () => {
  let dir: string;
  let folder: AccessFolder;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-access-'));
    folder = new AccessFolder(dir, 'NATS');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('reads a file as it is, and a line without one line break', async () => {
    await writeFile(join(dir, 'token'), ' t \r\n\n');
    equal(folder.read('token'), ' t \r\n\n');
    equal(folder.readLine('token'), ' t \r\n');
    await writeFile(join(dir, 'token'), 't\r\n');
    equal(folder.readLine('token'), 't');
  });

  it('has nothing of a file, or a folder, that is not there', () => {
    equal(folder.read('token'), undefined);
    equal(new AccessFolder(join(dir, 'none'), 'NATS').has('token'), false);
  });

  it('names a file that cannot be read', async () => {
    await mkdir(join(dir, 'token'));
    throws(() => folder.read('token'), {
      code: 'MR_ACCESS_INVALID',
      message: /with which NATS is accessed, cannot be used: token cannot be read: EISDIR/,
    });
  });

  it('has all files that belong together, or none, and never a part of them', async () => {
    equal(folder.hasAll('tls.crt', 'tls.key'), false);
    await writeFile(join(dir, 'tls.key'), 'secret');
    throws(() => folder.hasAll('tls.crt', 'tls.key'), { message: /tls\.key is there, and tls\.crt(?!.*secret)/ });
    await writeFile(join(dir, 'tls.crt'), 'c');
    equal(folder.hasAll('tls.crt', 'tls.key'), true);
  });
});
