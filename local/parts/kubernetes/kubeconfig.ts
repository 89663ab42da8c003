/** A kubeconfig with everything inline: it still works when the file is copied elsewhere on this machine. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { KeyAndCertificate } from './certificate.ts';

/** `user`: how it shows who it is. */
export function renderKubeconfig(
  url: string,
  ca: string,
  user: KeyAndCertificate | { readonly token: string },
): string {
  const base64 = (value: string) => Buffer.from(value).toString('base64');
  const shown =
    'token' in user
      ? { token: user.token }
      : { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) };
  const lines = Object.entries(shown).map(([field, value]) => `    ${field}: ${value}`);
  return `apiVersion: v1
kind: Config
current-context: millrace-local
contexts:
- name: millrace-local
  context: {cluster: millrace-local, user: millrace-local}
clusters:
- name: millrace-local
  cluster:
    server: ${url}
    certificate-authority-data: ${base64(ca)}
users:
- name: millrace-local
  user:
${lines.join('\n')}
`;
}

/** Readable by its owner only: it holds a key. */
export async function writeKubeconfig(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content, { mode: 0o600 });
}
