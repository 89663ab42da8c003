/**
 * A registry that shows an image only to whom it knows: the part of the OCI distribution protocol by which images are pulled.
 * Every name and every tag is the same image.
 */
import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort } from '../../../local/ports.ts';
import { registriesOf } from './machine.ts';
import { hostAddress } from './network.ts';

export interface Registry {
  /** As images name it: `10.250.0.1:5000`. */
  readonly host: string;
  readonly user: string;
  readonly password: string;
  stop(): Promise<void>;
}

const index = z.looseObject({ manifests: z.tuple([z.looseObject({ digest: z.string(), mediaType: z.string() })]) });

/** `dir`: of the cluster, which is told that there is no TLS; `layout`: folder with an OCI layout. */
export async function startRegistry(dir: string, layout: string): Promise<Registry> {
  const [manifest] = index.parse(JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'))).manifests;
  const [user, password] = ['puller', 'pull-secret'];
  const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

  async function answer({ method, url = '', headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (headers.authorization !== wanted) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="images"' }).end();
      return;
    }
    const [, what, reference = ''] = /\/(manifests|blobs)\/([\w.:-]+)$/.exec(url) ?? [];
    if (what === undefined) {
      response.writeHead(url === '/v2/' ? 200 : 404).end();
      return;
    }
    const digest = reference.startsWith('sha256:') ? reference : manifest.digest;
    const blob = join(layout, 'blobs', digest.replace(':', '/'));
    response.writeHead(200, {
      'Content-Type': what === 'manifests' ? manifest.mediaType : 'application/octet-stream',
      'Content-Length': (await stat(blob)).size,
      'Docker-Content-Digest': digest,
    });
    if (method === 'HEAD') response.end();
    else createReadStream(blob).pipe(response);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(404).end());
  });
  const port = await freePort();
  server.listen(port, hostAddress);
  await once(server, 'listening');
  const host = `${hostAddress}:${port}`;
  await mkdir(join(registriesOf(dir), host), { recursive: true });
  await writeFile(join(registriesOf(dir), host, 'hosts.toml'), `server = "http://${host}"\n[host."http://${host}"]\n`);
  return {
    ...{ host, user, password },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
