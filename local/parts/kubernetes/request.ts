/** One HTTPS request with a client certificate: all that the local stack itself needs of the Kubernetes API. */
import { request } from 'node:https';
import type { KeyAndCertificate } from './certificate.ts';

export interface ApiAccess {
  readonly url: string;
  readonly ca: string;
  readonly user: KeyAndCertificate;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/** Long, because a busy machine is slow; a dead server refuses at once. */
const timeoutMs = 60_000;

export function requestApi(
  access: ApiAccess,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: { readonly type: string; readonly text: string },
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, access.url),
      {
        method,
        ca: access.ca,
        cert: access.user.certificate,
        key: access.user.key,
        agent: false,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body ? { headers: { 'content-type': body.type } } : {}),
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body?.text);
  });
}
