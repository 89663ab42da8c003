/** A nats-server that asks who one is, and by which certificate. */
import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type Nats } from '../../../local/parts/nats.ts';
import { freePort } from '../../../local/ports.ts';
import { connectStreams, type ConnectOptions, type Streams } from '../../../stream/connection.ts';
import { natsCheck } from '../../../workers/preflight/nats.ts';
import { natsAccess } from '../../../workers/process/nats.ts';
import { makeAuthority, type Certificates } from '../../support/certificates.ts';
import { eventually, hangMs } from '../../support/eventually.ts';

const wrong = 'not-the-pass';

describe('access to NATS', function () {
  let root: string;
  let authority: Certificates;
  let folders = 0;
  const closing: (() => Promise<unknown>)[] = [];

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-nats-access-'));
    authority = await makeAuthority(root);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  after(() => rm(root, { recursive: true }));

  /** Its URL names a host, as a certificate does. */
  async function server(extra: string, at?: { readonly dir: string; readonly port: number }): Promise<Nats> {
    const { dir, port } = at ?? { dir: join(root, `server-${folders++}`), port: await freePort() };
    const nats = await startNats({ dir, port, monitorPort: await freePort(), extra });
    closing.push(() => nats.stop());
    return { ...nats, url: nats.url.replace('127.0.0.1', 'localhost') };
  }

  async function folder(files: Readonly<Record<string, string>>): Promise<string> {
    const dir = join(root, `access-${folders++}`);
    await mkdir(dir);
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
    return dir;
  }

  async function connected(
    url: string,
    accessDir: string | undefined,
    more: Partial<ConnectOptions> = {},
  ): Promise<Streams> {
    const options = { url, name: 'test', reconnectTimeWaitMs: 20, access: natsAccess(accessDir), ...more };
    const streams = await connectStreams(options);
    closing.push(() => streams.nc.close());
    return streams;
  }

  /** What is said until it is not waited for any more. */
  async function troubleOf(url: string, accessDir: string | undefined): Promise<string> {
    const stop = new AbortController();
    const said = Promise.withResolvers<string>();
    const connecting = connected(url, accessDir, {
      signal: stop.signal,
      onTrouble: ({ message }) => said.resolve(message),
    });
    const message = await Promise.race([said.promise, connecting.then(() => 'it is connected')]);
    const reason = new Error('asked to stop');
    stop.abort(reason);
    if (message !== 'it is connected') await rejects(connecting, reason);
    return message;
  }

  const tls = async (options = '') => {
    const { crt, key } = await authority.issue('server');
    return `tls { cert_file: "${crt}", key_file: "${key}", ${options} }\n`;
  };

  it('takes a user with a password, whose files may end with a line break', async () => {
    const { url } = await server('authorization { user: app, password: secret }\n');
    const streams = await connected(url, await folder({ username: 'app\n', password: 'secret\n' }));
    deepEqual(await streams.streamNames('none'), []);
    equal(await troubleOf(url, undefined), 'Authorization Violation');
  });

  it('takes a token', async () => {
    const { url } = await server('authorization { token: t0ken }\n');
    await connected(url, await folder({ token: 't0ken' }));
  });

  it('takes a certificate of an own authority, and no other', async () => {
    const { url } = await server(await tls());
    const access = await folder({});
    await copyFile(authority.ca, join(access, 'ca.crt'));
    await connected(url, access);
    match(await troubleOf(url, undefined), /unable to verify the first certificate/);
    const other = await folder({});
    await copyFile((await makeAuthority(root, 'other')).ca, join(other, 'ca.crt'));
    match(await troubleOf(url, other), /certificate/);
  });

  it('does not speak in the clear to a server that has no TLS, when it has an authority', async () => {
    const { url } = await server('');
    const access = await folder({});
    await copyFile(authority.ca, join(access, 'ca.crt'));
    equal(await troubleOf(url, access), `server does not support 'tls'`);
  });

  it('shows its own certificate to a server that asks for one', async () => {
    const { url } = await server(await tls(`ca_file: "${authority.ca}", verify: true`));
    const access = await folder({});
    await copyFile(authority.ca, join(access, 'ca.crt'));
    match(await troubleOf(url, access), /asks for a client certificate/);
    const { crt, key } = await authority.issue('client');
    await copyFile(crt, join(access, 'tls.crt'));
    await copyFile(key, join(access, 'tls.key'));
    await connected(url, access);
  });

  it('N1: says that a password is wrong, and connects when the file is corrected', async () => {
    const { url } = await server('authorization { user: app, password: secret }\n');
    const access = await folder({ username: 'app', password: wrong });
    const said: string[] = [];
    const connecting = connected(url, access, { onTrouble: ({ message }) => said.push(message) });
    await eventually(() => said.length > 2);
    await writeFile(join(access, 'password'), 'secret');
    await connecting;
    deepEqual([...new Set(said)], ['Authorization Violation']);
  });

  it('N2: lives through a rotation during which it is refused, or has no file, many times', async () => {
    const at = { dir: join(root, 'rotated'), port: await freePort() };
    const before = await server('authorization { user: app, password: secret }\n', at);
    const access = await folder({ username: 'app', password: 'secret' });
    const said: string[] = [];
    const { link, nc } = await connected(before.url, access, { onTrouble: ({ message }) => said.push(message) });
    await before.stop();
    await server('authorization { user: app, password: rotated }\n', at);
    await eventually(() => said.filter((message) => message === 'Authorization Violation').length > 2);
    await rm(join(access, 'password'));
    await eventually(() => said.some((message) => message.includes('password, which belongs to it, is not')));
    equal(link.connected, false);
    await writeFile(join(access, 'password'), 'rotated');
    await eventually(() => link.connected);
    equal(nc.isClosed(), false);
  });

  it('keeps to its own inboxes, for a user that may subscribe to nothing else', async () => {
    const may = 'permissions: { publish: ["$JS.API.>", "a"], subscribe: ["_INBOX_app.>"] }';
    const { url } = await server(
      `authorization { users: [{ user: app, password: secret, ${may} }, { user: all, password: secret }] }\n`,
    );
    const all = await connected(url, await folder({ username: 'all', password: 'secret' }));
    await all.jsm.streams.add({ name: 'a', subjects: ['a'], allow_direct: true });
    await all.jsm.consumers.add('a', { name: 'c', ack_policy: 'none' });
    const refused: string[] = [];
    const app = await connected(url, await folder({ username: 'app', password: 'secret' }), {
      inboxPrefix: '_INBOX_app',
      onTrouble: ({ message }) => refused.push(message),
    });
    await app.publish('a', 'one');
    equal((await app.directGet('a', { last_by_subj: 'a' }))?.subject, 'a');
    const delivered = Promise.withResolvers<string>();
    const pull = app.openPull('a', 'c', {
      delivered: ({ subject }) => delivered.resolve(subject),
      status: () => undefined,
      failed: () => delivered.resolve('refused'),
    });
    pull.request({ messages: 1, expiresMs: 60_000, heartbeatMs: 20_000 });
    equal(await delivered.promise, 'a');
    pull.close();
    deepEqual(refused, []);
  });

  it('preflight uses the folder, and says what is wrong without what is secret', async () => {
    const { url } = await server('authorization { user: app, password: secret }\n');
    const check = (accessDir: string) =>
      natsCheck({ url, accessDir, streamReplicas: 1, name: 'preflight' }).look(AbortSignal.timeout(hangMs));
    ok(typeof (await check(await folder({ username: 'app', password: 'secret' }))) === 'string');
    const refused = await folder({ username: 'app', password: wrong });
    await rejects(check(refused), ({ message }: Error) => {
      match(message, /^MR_STREAM_UNAVAILABLE: JetStream at localhost:\d+ does not answer: Authorization Violation/);
      return !message.includes(wrong);
    });
    await rejects(check(await folder({})), /MR_ACCESS_INVALID/);
  });

  it('is refused at the start when the folder has nothing, or half of what belongs together', async () => {
    const of = async (files: Readonly<Record<string, string>>) => {
      const dir = await folder(files);
      return () => natsAccess(dir);
    };
    throws(await of({}), /MR_ACCESS_INVALID.*none of the files user\.creds/);
    throws(await of({ username: 'app' }), /username is there, and password, which belongs to it, is not/);
    throws(await of({ token: 't', 'tls.crt': 'x' }), /tls\.crt is there, and tls\.key/);
    const { authenticator } = natsAccess(await folder({ 'user.creds': 'SEED' }));
    throws(() => authenticator?.('nonce'), { message: /MR_ACCESS_INVALID.*nsc generate creds(?!.*SEED)/ });
  });
});
