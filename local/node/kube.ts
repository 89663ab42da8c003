/** The Kubernetes API as plain JSON over HTTPS: nothing is dropped that a typed client does not know. */
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { readKubeconfig } from './kubeconfig.ts';

export interface KubeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Of the body; default application/json. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

export interface Kube {
  /** The answer's JSON. Throws KubeError for any other status than 2xx. */
  json(request: KubeRequest): Promise<unknown>;
  /** The answer's body as it arrives. Throws KubeError as `json` does. */
  open(request: KubeRequest): Promise<IncomingMessage>;
  close(): void;
}

/** The API answered, and said no. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const mergePatch = 'application/merge-patch+json';
export const strategicMergePatch = 'application/strategic-merge-patch+json';

const timeoutMs = 15_000;
const failure = z.object({ message: z.string() });

export async function openKube(kubeconfigPath: string): Promise<Kube> {
  const access = await readKubeconfig(kubeconfigPath);
  const agent = new Agent({ keepAlive: true, ...access.tls });

  const open = (of: KubeRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const text = of.body === undefined ? undefined : JSON.stringify(of.body);
      const sent = request(
        `${access.server}${of.path}`,
        {
          agent,
          method: of.method ?? 'GET',
          ...(of.signal ? { signal: of.signal } : {}),
          headers: {
            ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
            accept: of.accept ?? 'application/json',
            ...(text === undefined
              ? {}
              : { 'content-type': of.contentType ?? 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        (answer) => {
          const status = answer.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(answer);
          else bodyOf(answer).then((body) => reject(new KubeError(status, messageOf(body, status))), reject);
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });

  return {
    open,
    async json(of) {
      const limit = AbortSignal.timeout(timeoutMs);
      const answer = await open({ ...of, signal: of.signal ? AbortSignal.any([of.signal, limit]) : limit });
      const parsed: unknown = JSON.parse(await bodyOf(answer));
      return parsed;
    },
    close: () => agent.destroy(),
  };
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409;
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

function messageOf(body: string, status: number): string {
  try {
    return failure.parse(JSON.parse(body)).message;
  } catch {
    // A proxy or a starting API server answers with plain text.
    return body.trim() || `status ${status}`;
  }
}
