import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokenSourceFor } from '../../client/token.ts';
import { ensureApiToken } from '../../local/api-token.ts';

const api = 'http://127.0.0.1:8088';
const tokenFor = async (...args: Parameters<typeof tokenSourceFor>) => (await tokenSourceFor(...args))();

describe('the token that the client sends', () => {
  let dir: string;
  let kubeconfig: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-token-'));
    kubeconfig = join(dir, 'kubeconfig');
    file = join(dir, 'other-token');
    await ensureApiToken(join(dir, 'api-token'));
    await writeFile(file, 'of-a-file\n');
  });
  after(() => rm(dir, { recursive: true }));

  it('T1: is that of the environment before that of a file', async () => {
    const env = { MILLRACE_API_TOKEN: 'given', MILLRACE_API_TOKEN_FILE: file, KUBECONFIG: kubeconfig };
    assert.equal(await tokenFor(api, env), 'given');
  });

  it('T1: is that of the file that the environment names before that of the local stack', async () => {
    assert.equal(await tokenFor(api, { MILLRACE_API_TOKEN_FILE: file, KUBECONFIG: kubeconfig }), 'of-a-file');
  });

  it('T1: a file that was named must be there', async () => {
    await assert.rejects(tokenFor(api, { MILLRACE_API_TOKEN_FILE: join(dir, 'none') }), { code: 'ENOENT' });
  });

  for (const own of [api, 'http://localhost:1', 'http://[::1]:1', 'http://127.3.2.1:8088/']) {
    it(`T3: is that of the local stack, beside its kubeconfig, for ${own}`, async () => {
      assert.match((await tokenFor(own, { KUBECONFIG: kubeconfig })) ?? '', /^[\w-]{43}$/);
    });
  }

  for (const other of [
    'https://millrace.shop',
    'http://10.0.0.1:8088',
    'http://localhost.evil.example',
    'http://0.0.0.0',
  ]) {
    it(`T3: is never sent to ${other}`, async () => {
      assert.equal(await tokenFor(other, { KUBECONFIG: kubeconfig }), undefined);
    });
  }

  it('T3: is none where nothing of a local stack is', async () => {
    assert.equal(await tokenFor(api, { KUBECONFIG: join(dir, 'none', 'kubeconfig') }, dir), undefined);
  });
});

describe('the token of the local stack', () => {
  let dir: string;
  before(async () => (dir = await mkdtemp(join(tmpdir(), 'millrace-token-'))));
  after(() => rm(dir, { recursive: true }));

  it('is readable by its owner only, and stays over a restart', async () => {
    const file = join(dir, 'api-token');
    await ensureApiToken(file);
    const first = await tokenFor(api, { MILLRACE_API_TOKEN_FILE: file });
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await ensureApiToken(file);
    assert.equal(await tokenFor(api, { MILLRACE_API_TOKEN_FILE: file }), first);
  });
});
