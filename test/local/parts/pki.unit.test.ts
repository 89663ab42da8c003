import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePki } from '../../../local/parts/kubernetes/pki.ts';

describe('the PKI of the local control plane', () => {
  const now = new Date('2026-05-01T12:00:00Z');
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-pki-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('every certificate is signed by the authority and fits its key', async () => {
    const pki = await ensurePki(join(dir, 'pki'), now);
    const authority = new X509Certificate(pki.ca);
    ok(authority.ca && authority.verify(authority.publicKey));
    for (const leaf of [pki.server, pki.admin, pki.controllerManager, pki.scheduler]) {
      const certificate = new X509Certificate(leaf.certificate);
      ok(certificate.verify(authority.publicKey));
      ok(certificate.checkIssued(authority));
      ok(certificate.checkPrivateKey(createPrivateKey(leaf.key)));
    }
  });

  it('the server answers for loopback and for the API inside the cluster', async () => {
    const { server } = await ensurePki(join(dir, 'pki'), now);
    const certificate = new X509Certificate(server.certificate);
    strictEqual(certificate.checkIP('127.0.0.1'), '127.0.0.1');
    strictEqual(certificate.checkHost('kubernetes.default.svc'), 'kubernetes.default.svc');
  });

  it('the administrator is of the group that may do everything', async () => {
    const { admin } = await ensurePki(join(dir, 'pki'), now);
    match(new X509Certificate(admin.certificate).subject, /O=system:masters\nCN=millrace-admin/);
  });

  it('is valid from an hour ago for ten years', async () => {
    const { ca } = await ensurePki(join(dir, 'pki'), now);
    const authority = new X509Certificate(ca);
    strictEqual(authority.validFromDate.toISOString(), '2026-05-01T11:00:00.000Z');
    strictEqual(authority.validToDate.getUTCFullYear(), 2036);
  });

  it('K1: is made once', async () => {
    const first = await ensurePki(join(dir, 'pki'), now);
    deepStrictEqual(await ensurePki(join(dir, 'pki'), now), first);
  });

  it('K2: is readable by its owner only', async () => {
    const { dir: pki, admin } = await ensurePki(join(dir, 'pki'), now);
    strictEqual((await stat(pki)).mode & 0o777, 0o700);
    strictEqual((await stat(admin.keyFile)).mode & 0o777, 0o600);
  });
});
