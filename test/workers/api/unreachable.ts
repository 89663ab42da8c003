/** A Kubernetes API that does not answer: a port on which nothing listens. */
import { KubeConfig } from '@kubernetes/client-node';
import { createKube, type Kube } from '../../../kubernetes/kube.ts';
import { createTransport } from '../../../kubernetes/transport.ts';
import { freePort } from '../../../local/ports.ts';

export async function unreachableKube(): Promise<Kube> {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'none', server: `https://127.0.0.1:${await freePort()}`, skipTLSVerify: false },
    { name: 'nobody' },
  );
  return createKube(createTransport(config));
}
