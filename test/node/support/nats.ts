/** What the nats-server of the release says of itself. */
import { namespace } from '../../deploy/support/helm.ts';
import type { RealNode } from './real-node.ts';

/** By the API server, which policies let through. */
export async function natsMonitor({ kubectl }: RealNode, path: string): Promise<unknown> {
  return JSON.parse(
    await kubectl('get', '--raw', `/api/v1/namespaces/${namespace}/pods/millrace-nats-0:8222/proxy/${path}`),
  );
}
