import { deepEqual, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sink } from '../../../connectors/postgres/index.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { freePort } from '../../../local/ports.ts';
import { startPostgres, type Postgres } from '../../../local/postgres/postgres.ts';
import { dataOwner } from '../../../local/postgres/unprivileged.ts';
import { sinkContext } from '../sink-context.ts';

describe('PostgreSQL sink by TLS', function () {
  let dir: string;
  let postgres: Postgres;
  let ca: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-pgtls-'));
    const key = join(dir, 'server.key');
    const certificate = join(dir, 'server.crt');
    // The certificate is for localhost, not for 127.0.0.1.
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...subject];
    await promisify(execFile)('openssl', args);
    if (dataOwner !== null) await chown(key, dataOwner.uid, dataOwner.gid);
    ca = await readFile(certificate, 'utf8');
    const settings = { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key };
    postgres = await startPostgres({ dir: join(dir, 'server'), port: await freePort(), settings });
  });

  after(async () => {
    await postgres.stop();
    await rm(dir, { recursive: true });
  });

  async function connect(host: string, tls: object): Promise<void> {
    const { port, username, password } = postgres;
    const createTable = { columns: [{ name: 'id', type: 'int' }] };
    const config = postgresSinkSpec.parse({ host, port, username, password, tls, table: 'secure', createTable });
    await (await sink.connect(config, sinkContext())).close();
  }

  it('Require takes any certificate', async () => {
    await connect('127.0.0.1', { mode: 'Require' });
  });

  it('VerifyCa takes a known authority, for any host', async () => {
    await connect('127.0.0.1', { mode: 'VerifyCa', ca });
    await rejects(connect('127.0.0.1', { mode: 'VerifyCa' }), /MR_SINK_UNREACHABLE.*self-signed certificate/);
  });

  it('VerifyFull takes a known authority, for this host only', async () => {
    await connect('localhost', { mode: 'VerifyFull', ca });
    await rejects(connect('127.0.0.1', { mode: 'VerifyFull', ca }), /MR_SINK_UNREACHABLE.*127\.0\.0\.1/);
  });

  it('is verified in full unless the spec says otherwise', () => {
    const { tls } = postgresSinkSpec.parse({ host: 'h', table: 't', tls: {} });
    deepEqual(tls, { mode: 'VerifyFull' });
  });
});
