/** Temporal behind TLS: its development server has none, so something in front of it has. */
import { deepEqual, equal, match, rejects, throws } from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import { connect, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { connectWorkflows } from '../../../client/workflows.ts';
import { startTemporal, type Temporal } from '../../../local/parts/temporal.ts';
import { freePort } from '../../../local/ports.ts';
import { temporalCheck } from '../../../workers/preflight/temporal.ts';
import { temporalConnection, temporalIn, type TemporalAt } from '../../../workers/process/temporal.ts';
import { makeAuthority, type Certificates } from '../../support/certificates.ts';

describe('access to Temporal', function () {
  let dir: string;
  let temporal: Temporal;
  let authority: Certificates;
  let identity: { readonly cert: Buffer; readonly key: Buffer };
  let folders = 0;
  const closing: (() => unknown)[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-temporal-access-'));
    authority = await makeAuthority(dir);
    const { crt, key } = await authority.issue('server');
    identity = { cert: await readFile(crt), key: await readFile(key) };
    const [port, uiPort] = [await freePort(), await freePort()];
    temporal = await startTemporal({ dir: join(dir, 'temporal'), port, uiPort });
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
  after(async () => {
    await temporal.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function folder(files: Readonly<Record<string, string>>): Promise<string> {
    const path = join(dir, `access-${folders++}`);
    await mkdir(path);
    for (const [name, from] of Object.entries(files)) await copyFile(from, join(path, name));
    return path;
  }

  async function listening(server: Server): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    return `localhost:${port}`;
  }

  /** Ends TLS in front of Temporal. */
  async function secured(options: object = {}): Promise<string> {
    const [host = '', port] = temporal.address.split(':');
    const server = createServer({ ...identity, ALPNProtocols: ['h2'], ...options }, (client) => {
      const behind = connect(Number(port), host);
      for (const end of [client, behind]) end.on('error', () => (client.destroy(), behind.destroy()));
      client.pipe(behind).pipe(client);
    });
    return listening(server);
  }

  async function versions(at: TemporalAt): Promise<readonly boolean[]> {
    const options = temporalConnection(at);
    const connection = await Connection.connect({ ...options, connectTimeout: '5s' });
    const native = await NativeConnection.connect(options);
    try {
      const infos = await Promise.all([
        connection.workflowService.getSystemInfo({}),
        native.workflowService.getSystemInfo({}),
      ]);
      return infos.map(({ serverVersion }) => serverVersion !== '');
    } finally {
      await connection.close();
      await native.close();
    }
  }

  it('takes the certificate of an own authority, by both connections of the SDK, and no other', async () => {
    const at = { address: await secured(), namespace: 'default' };
    deepEqual(await versions({ ...at, accessDir: await folder({ 'ca.crt': authority.ca }) }), [true, true]);
    const { ca } = await makeAuthority(dir, 'other');
    await rejects(versions({ ...at, accessDir: await folder({ 'ca.crt': ca }) }));
    await rejects(versions({ ...at, tls: true }));
  });

  it('shows its own certificate to a server that asks for one', async () => {
    const ca = await readFile(authority.ca);
    const at = { address: await secured({ requestCert: true, rejectUnauthorized: true, ca }), namespace: 'default' };
    const { crt, key } = await authority.issue('client');
    const files = { 'ca.crt': authority.ca, 'tls.crt': crt, 'tls.key': key };
    deepEqual(await versions({ ...at, accessDir: await folder(files) }), [true, true]);
    await rejects(versions({ ...at, accessDir: await folder({ 'ca.crt': authority.ca }) }));
    const check = temporalCheck({ ...at, accessDir: await folder(files) });
    match(await check.look(AbortSignal.timeout(60_000)), /namespace "default"/);
  });

  it('is given to a client as text or as bytes', async () => {
    const ca = await readFile(authority.ca);
    const address = await secured({ requestCert: true, rejectUnauthorized: true, ca });
    const { crt, key } = await authority.issue('client-program');
    const clientCertPair = { crt: await readFile(crt, 'utf8'), key: await readFile(key) };
    const client = await connectWorkflows({ address, tls: { serverRootCACertificate: ca, clientCertPair } });
    await client.close();
    await rejects(connectWorkflows({ address, tls: { serverRootCACertificate: ca } }));
  });

  it('shows its key to the server, by TLS only', async () => {
    const seen = Promise.withResolvers<string | undefined>();
    const server = createSecureServer(identity);
    server.on('stream', (stream, { authorization }) => {
      seen.resolve(authorization);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16' }, { endStream: true });
    });
    const accessDir = await folder({ 'ca.crt': authority.ca });
    await writeFile(join(accessDir, 'api-key'), 'k3y\n');
    const at = { address: await listening(server), namespace: 'default', accessDir };
    await rejects(Connection.connect(temporalConnection(at)), ({ message }: Error) => !message.includes('k3y'));
    equal(await seen.promise, 'Bearer k3y');
    await rm(join(accessDir, 'ca.crt'));
    deepEqual(temporalConnection(at), { address: at.address, tls: true, apiKey: 'k3y' });
  });

  it('is as it was where nothing is set', () => {
    deepEqual(temporalConnection(temporalIn({})), { address: '127.0.0.1:7233' });
    const named = { MILLRACE_TEMPORAL_TLS_SERVER_NAME: 'temporal.internal' };
    deepEqual(temporalConnection(temporalIn(named)).tls, { serverNameOverride: 'temporal.internal' });
  });

  it('is refused at the start when the folder has nothing, or half of what belongs together', async () => {
    const { crt } = await authority.issue('half');
    for (const [files, problem] of [
      [{}, /none of the files ca\.crt/],
      [{ 'tls.crt': crt }, /tls\.crt is there, and tls\.key/],
    ] as const) {
      const accessDir = await folder(files);
      throws(() => temporalConnection({ address: 'a:1', namespace: 'default', accessDir }), problem);
    }
  });
});
