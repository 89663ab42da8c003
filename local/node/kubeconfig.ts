/**
 * Where the API is and who asks: the current context of a kubeconfig.
 *
 * Read here and not by @kubernetes/client-node, whose import takes 90 MB and more than a second; a node that returns must be
 * quick. Client certificates and tokens are known; exec plugins are not, because the local stack has none.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const cluster = z.object({
  server: z.string(),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().default(false),
});
const user = z.object({
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
  token: z.string().optional(),
});
const context = z.object({ cluster: z.string(), user: z.string() });
const kubeconfig = z.object({
  'current-context': z.string(),
  clusters: z.array(z.object({ name: z.string(), cluster })),
  users: z.array(z.object({ name: z.string(), user })),
  contexts: z.array(z.object({ name: z.string(), context })),
});

export interface ApiAccess {
  readonly server: string;
  readonly tls: {
    readonly ca?: Buffer;
    readonly cert?: Buffer;
    readonly key?: Buffer;
    readonly rejectUnauthorized: boolean;
  };
  readonly token: string | undefined;
}

export async function readKubeconfig(path: string): Promise<ApiAccess> {
  const all = kubeconfig.parse(parse(await readFile(path, 'utf8')));
  const current = find(all.contexts, all['current-context'], path).context;
  const at = find(all.clusters, current.cluster, path).cluster;
  const as = find(all.users, current.user, path).user;
  const read = async (data: string | undefined, file: string | undefined) => {
    if (data !== undefined) return Buffer.from(data, 'base64');
    return file === undefined ? undefined : await readFile(resolve(dirname(path), file));
  };
  const ca = await read(at['certificate-authority-data'], at['certificate-authority']);
  const cert = await read(as['client-certificate-data'], as['client-certificate']);
  const key = await read(as['client-key-data'], as['client-key']);
  return {
    server: at.server.replace(/\/$/, ''),
    tls: {
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      rejectUnauthorized: !at['insecure-skip-tls-verify'],
    },
    token: as.token,
  };
}

function find<T extends { readonly name: string }>(list: readonly T[], name: string, path: string): T {
  const found = list.find((entry) => entry.name === name);
  if (!found) throw new TypeError(`${path} names "${name}", but has no such entry`);
  return found;
}
