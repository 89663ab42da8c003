/** An authority of its own, and certificates that it signs, made by openssl. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const openssl = (args: readonly string[]) => promisify(execFile)('openssl', args);

export interface Certificates {
  readonly ca: string;
  /** Paths of a certificate and its key, for the host `localhost` and 127.0.0.1. */
  issue(name: string): Promise<{ readonly crt: string; readonly key: string }>;
}

export async function makeAuthority(dir: string, name = 'ca'): Promise<Certificates> {
  const at = (file: string) => join(dir, `${name}-${file}`);
  const [ca, caKey] = [at('ca.crt'), at('ca.key')];
  const fresh = ['-newkey', 'rsa:2048', '-nodes', '-subj'];
  await openssl(['req', '-x509', ...fresh, `/CN=${name}`, '-days', '2', '-keyout', caKey, '-out', ca]);
  return {
    ca,
    async issue(of) {
      const [crt, key, request, names] = [at(`${of}.crt`), at(`${of}.key`), at(`${of}.csr`), at(`${of}.ext`)];
      await openssl(['req', ...fresh, `/CN=${of}`, '-keyout', key, '-out', request]);
      await writeFile(names, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
      const signed = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', names];
      await openssl(['x509', '-req', '-in', request, '-out', crt, ...signed]);
      return { crt, key };
    },
  };
}
