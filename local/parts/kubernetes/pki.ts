/**
 * Keys and certificates of the local control plane.
 *
 * K1  They are created once for a data directory and kept, so a kubeconfig stays valid across restarts.
 * K2  The directory and every private key are readable by their owner only.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeAuthority, makeLeaf, type KeyAndCertificate, type Leaf } from './certificate.ts';
import { isSystemError } from '../../../model/system-error.ts';

export interface Pki {
  readonly dir: string;
  readonly caFile: string;
  /** The authority's certificate, PEM. */
  readonly ca: string;
  readonly serviceAccountKeyFile: string;
  readonly serviceAccountPublicFile: string;
  readonly server: KeyFiles;
  /** system:masters, for people and for the local stack. */
  readonly admin: KeyFiles;
  readonly controllerManager: KeyFiles;
  readonly scheduler: KeyFiles;
}

export interface KeyFiles extends KeyAndCertificate {
  readonly keyFile: string;
  readonly certificateFile: string;
}

const leaves = {
  server: {
    subject: { commonName: 'kube-apiserver' },
    usage: ['server', 'client'],
    names: ['127.0.0.1', '10.96.0.1', 'localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
  },
  admin: { subject: { commonName: 'millrace-admin', organization: 'system:masters' }, usage: ['client'] },
  // One identity for all controllers needs more than the role system:kube-controller-manager grants.
  controllerManager: {
    subject: { commonName: 'system:kube-controller-manager', organization: 'system:masters' },
    usage: ['client'],
  },
  scheduler: { subject: { commonName: 'system:kube-scheduler' }, usage: ['client'] },
} as const;

/** The PKI in `dir`, created when it does not exist. */
export async function ensurePki(dir: string, now: Date): Promise<Pki> {
  try {
    return await readPki(dir);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
  // Created in another directory and moved, so that a crash never leaves half a PKI.
  const beside = `${dir}.new`;
  await rm(beside, { recursive: true, force: true });
  await writePki(beside, now);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dirname(dir), { recursive: true });
  await rename(beside, dir);
  return readPki(dir);
}

async function writePki(dir: string, now: Date): Promise<void> {
  await writeKeys(dir, 'millrace-local', leaves, now);
}

/**
 * Writes `ca.crt`, a `.crt` and a `.key` for each leaf, `service-accounts.key` and `.pub` into `dir`, which it makes, and
 * returns the authority, and the leaves by name.
 */
export async function writeKeys(
  dir: string,
  commonName: string,
  wanted: Readonly<Record<string, Leaf>>,
  now: Date,
): Promise<{ readonly authority: KeyAndCertificate; readonly made: ReadonlyMap<string, KeyAndCertificate> }> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const write = (file: string, content: string) => writeFile(join(dir, file), content, { mode: 0o600 });
  const authority = makeAuthority({ commonName }, now);
  await write('ca.crt', authority.certificate);
  const made = new Map(Object.entries(wanted).map(([name, leaf]) => [name, makeLeaf(authority, leaf, now)] as const));
  for (const [name, { key, certificate }] of made) {
    await write(`${name}.key`, key);
    await write(`${name}.crt`, certificate);
  }
  const serviceAccounts = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await write('service-accounts.key', serviceAccounts.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  await write('service-accounts.pub', serviceAccounts.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  return { authority, made };
}

async function readPki(dir: string): Promise<Pki> {
  const caFile = join(dir, 'ca.crt');
  return {
    dir,
    caFile,
    ca: await readFile(caFile, 'utf8'),
    serviceAccountKeyFile: join(dir, 'service-accounts.key'),
    serviceAccountPublicFile: join(dir, 'service-accounts.pub'),
    server: await readKeyFiles(dir, 'server'),
    admin: await readKeyFiles(dir, 'admin'),
    controllerManager: await readKeyFiles(dir, 'controllerManager'),
    scheduler: await readKeyFiles(dir, 'scheduler'),
  };
}

async function readKeyFiles(dir: string, name: keyof typeof leaves): Promise<KeyFiles> {
  const keyFile = join(dir, `${name}.key`);
  const certificateFile = join(dir, `${name}.crt`);
  return {
    keyFile,
    certificateFile,
    key: await readFile(keyFile, 'utf8'),
    certificate: await readFile(certificateFile, 'utf8'),
  };
}
