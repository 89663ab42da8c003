/**
 * ConfigMap `local-stack` in namespace `default`: where ClickHouse and Kafka of this stack listen.
 *
 * A file that names them by reference (`$(configMap:local-stack/clickhouse)`) can be applied to any stack, and never writes
 * into that of another data directory, which may have the usual ports.
 */
import { applyTo } from '../parts/kubernetes/apply.ts';
import type { ApiAccess } from '../parts/kubernetes/request.ts';

export interface Addresses {
  /** URL. */
  readonly clickhouse: string;
  /** Host and port; undefined without Kafka. */
  readonly kafka: string | undefined;
}

const name = 'local-stack';
const namespace = 'default';

/** The namespace, too: a new API server makes it a moment after it is ready, and there is nothing by which to wait for that. */
export async function applyAddresses(access: ApiAccess, addresses: Addresses): Promise<void> {
  const spaces = '/api/v1/namespaces';
  await applyTo(access, spaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: addresses };
  await applyTo(access, `${spaces}/${namespace}/configmaps`, object);
}
