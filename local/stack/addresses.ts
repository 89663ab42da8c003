/**
 * ConfigMap `local-stack` in namespace `default`: where ClickHouse and Kafka of this stack listen.
 *
 * A file that names them by reference (`$(configMap:local-stack/clickhouse)`) can be applied to any stack, and never writes
 * into that of another data directory, which may have the usual ports.
 */
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
const applied = 'application/apply-patch+yaml';

/** The namespace, too: a new API server makes it a moment after it is ready, and there is nothing by which to wait for that. */
export async function applyAddresses(access: ApiAccess, addresses: Addresses): Promise<void> {
  const space = `/api/v1/namespaces/${namespace}`;
  await apply(access, space, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: addresses };
  await apply(access, `${space}/configmaps/${name}`, object);
}

interface Content {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
  readonly data?: object;
}

async function apply(access: ApiAccess, path: string, object: Content): Promise<void> {
  const query = 'fieldManager=millrace-dev&force=true';
  const content = { type: applied, text: JSON.stringify(object) };
  const { status, body } = await requestApi(access, 'PATCH', `${path}?${query}`, content);
  if (status === 200 || status === 201) return;
  throw mr('MR_KUBERNETES_REFUSED', { object: `${object.kind} ${path.split('/').at(-1)}`, problem: body });
}
