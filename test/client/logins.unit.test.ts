import { deepEqual, equal, rejects } from 'node:assert/strict';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loginsIn, type Login, type Renew } from '../../client/logins.ts';
import { lockHoldsMs } from '../../client/private-folder.ts';

const api = 'https://millrace.example.com';
const hourMs = 3_600_000;
const expired: Login = {
  ...{ api, issuer: 'https://login.example.com', clientId: 'cli', audiences: ['millrace'] },
  ...{ token: 'first', expiresAt: 0, refreshToken: 'refresh-1' },
};
const renewed: Login = { ...expired, token: 'second', expiresAt: Date.now() + hourMs, refreshToken: 'refresh-2' };

const never: Renew = () => Promise.reject(new Error('nobody asked for it'));

describe('a login that is kept', () => {
  let dir: string;
  let folder: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-logins-'));
    folder = join(dir, 'millrace', 'logins');
  });
  afterEach(() => rm(dir, { recursive: true }));

  const logins = (renew: Renew = never, wallClock?: () => number) =>
    loginsIn({ XDG_CONFIG_HOME: dir }, renew, wallClock);
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

  async function theFile(): Promise<string> {
    await logins().keep(expired);
    const [name = ''] = await readdir(folder);
    return join(folder, name);
  }

  /** An issuer that takes a refresh token only once, as most do for public clients, and answers when it is told to. */
  function strictIssuer() {
    const used: string[] = [];
    const asked = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<Login>();
    const renew: Renew = (_, refreshToken) => {
      if (used.push(refreshToken) > 1) return Promise.reject(new Error('invalid_grant'));
      asked.resolve(undefined);
      return answer.promise;
    };
    return { used, renew, asked: asked.promise, answer: () => answer.resolve(renewed) };
  }

  it('L3: is renewed once by a program that asks several things at once', async () => {
    const issuer = strictIssuer();
    const one = logins(issuer.renew);
    await one.keep(expired);
    const tokens = Promise.all([one.tokenFor(api), one.tokenFor(`${api}/`), one.tokenFor(api)]);
    await issuer.asked;
    issuer.answer();
    deepEqual(await tokens, ['second', 'second', 'second']);
    deepEqual(issuer.used, ['refresh-1']);
  });

  it('L3: is renewed once by several programs', async () => {
    const issuer = strictIssuer();
    await logins().keep(expired);
    const tokens = Promise.all([1, 2, 3].map(() => logins(issuer.renew).tokenFor(api)));
    await issuer.asked;
    issuer.answer();
    deepEqual(await tokens, ['second', 'second', 'second']);
    deepEqual(issuer.used, ['refresh-1']);
  });

  it('L3: is asked for anew after a renewal that failed', async () => {
    const answers = [() => Promise.reject(new Error('no route')), () => Promise.resolve(renewed)];
    const one = logins(() => answers.shift()?.() ?? never(expired, ''));
    await one.keep(expired);
    await rejects(one.tokenFor(api), /could not be renewed \(no route\)/);
    equal(await one.tokenFor(api), 'second');
  });

  it('L3: is what another program has kept, when this one held the lock for too long', async () => {
    const file = await theFile();
    const slow = logins(async () => {
      await writeFile(file, JSON.stringify(renewed));
      throw new Error('invalid_grant');
    });
    equal(await slow.tokenFor(api), 'second');
  });

  for (const [what, ageMs] of [
    ['of a program that died', lockHoldsMs + 1],
    ['from the future', -lockHoldsMs - 1],
  ] as const) {
    it(`F3: is written over a lock ${what}`, async () => {
      await theFile();
      const lock = join(folder, 'lock');
      await writeFile(lock, '');
      await utimes(lock, 1_000_000, 1_000_000);
      await logins(never, () => 1_000_000_000 + ageMs).keep(renewed);
      equal((await logins().find(api))?.token, 'second');
      equal((await readdir(folder)).length, 1);
    });
  }

  it('L1: is readable by its owner only, whatever was there before', async () => {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o777);
    await chmod(join(dir, 'millrace'), 0o770);
    const file = await theFile();
    await chmod(file, 0o666);
    // Whoever could write there knew the pid: in containers it is always one of a few.
    await writeFile(`${file}.${process.pid}.tmp`, '');
    await chmod(`${file}.${process.pid}.tmp`, 0o666);
    await logins().keep(renewed);
    deepEqual(await Promise.all([join(dir, 'millrace'), folder, file].map(mode)), ['700', '700', '600']);
  });

  for (const [what, act] of [
    ['written', () => logins().keep(renewed)],
    ['forgotten', () => logins().forget(api)],
  ] as const) {
    it(`F3: is ${what} with what a crash has left of one`, async () => {
      const file = await theFile();
      await writeFile(`${file}.of-a-crash.tmp`, JSON.stringify(expired));
      await act();
      deepEqual(await readdir(folder), what === 'written' ? [file.slice(folder.length + 1)] : []);
    });
  }

  it('F1: is not written into a folder of another user', async function () {
    // Only root can make one.
    if (process.getuid?.() !== 0) return this.skip();
    await mkdir(folder, { recursive: true });
    await chown(folder, 12_345, 12_345);
    await rejects(logins().keep(expired), /logins belongs to another user/);
  });

  it('is forgotten once, also where there was never one', async () => {
    equal(await logins().forget(api), false);
    await theFile();
    equal(await logins().forget(api), true);
    equal(await logins().forget(api), false);
  });
});
