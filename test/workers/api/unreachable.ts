/** A Kubernetes API that does not answer: a port on which nothing listens. */
import { createKube, type Kube } from '../../../kubernetes/kube.ts';
import { createTransport } from '../../../kubernetes/transport.ts';
import { freePort } from '../../../local/ports.ts';

export async function unreachableKube(): Promise<Kube> {
  const server = `https://127.0.0.1:${await freePort()}`;
  return createKube(createTransport({ server, hasProxy: false, options: () => Promise.resolve({}) }));
}
