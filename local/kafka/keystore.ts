/** A self-signed certificate for 127.0.0.1 and localhost, made with Java's own keytool. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exists } from '../files.ts';

const run = promisify(execFile);

export interface Keystore {
  readonly file: string;
  readonly password: string;
  /** The certificate, in PEM: what a client must trust. */
  readonly caPem: string;
}

/** Creates the keystore in `dir`, or returns the existing one. */
export async function ensureKeystore(dir: string): Promise<Keystore> {
  const file = join(dir, 'broker.p12');
  const pem = join(dir, 'broker.pem');
  // Protects a throw-away key in a directory that only its owner reads; PKCS12 demands some password.
  const password = 'loopback';
  const store = ['-keystore', file, '-storepass', password, '-alias', 'broker'];
  const names = 'SAN=dns:localhost,ip:127.0.0.1';
  if (!(await exists(pem))) {
    const key = ['-keyalg', 'RSA', '-keysize', '2048', '-storetype', 'PKCS12', '-validity', '3650'];
    await run('keytool', [
      '-genkeypair',
      ...store,
      ...key,
      '-dname',
      'CN=localhost',
      '-ext',
      names,
      '-ext',
      'bc=ca:true',
    ]);
    await run('keytool', ['-exportcert', '-rfc', ...store, '-file', pem]);
  }
  return { file, password, caPem: await readFile(pem, 'utf8') };
}
