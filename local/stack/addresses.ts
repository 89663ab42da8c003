/**
 * ConfigMap `local-stack` in namespace `default`: where ClickHouse and Kafka of this stack listen.
 *
 * A file that names them by reference (`$(configMap:local-stack/clickhouse)`) can be applied to any stack, and never writes
 * into that of another data directory, which may have the usual ports.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { mr } from '../../model/errors.ts';
import { requestApi, type ApiAccess } from '../parts/kubernetes/request.ts';

export interface Addresses {
  /** URL. */
  readonly clickhouse: string;
  /** Host and port; undefined without Kafka. */
  readonly kafka: string | undefined;
}

const name = 'local-stack';
const namespace = 'default';
/** A new API server makes the namespace a moment after it is ready. */
const namespaceTimeoutMs = 120_000;
const pollMs = 50;

export async function applyAddresses(access: ApiAccess, addresses: Addresses): Promise<void> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: addresses };
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}?fieldManager=millrace-dev&force=true`;
  const apply = { type: 'application/apply-patch+yaml', text: JSON.stringify(object) };
  const deadline = Date.now() + namespaceTimeoutMs;
  for (;;) {
    const { status, body } = await requestApi(access, 'PATCH', path, apply);
    if (status === 200 || status === 201) return;
    if (status !== 404 || Date.now() > deadline)
      throw mr('MR_KUBERNETES_REFUSED', { object: `ConfigMap ${name}`, problem: body });
    await delay(pollMs);
  }
}
