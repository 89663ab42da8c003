/**
 * What the API server serves of a group. Absence is proven by its list of groups (K1 of `./kube.ts`): a 404 may come from a
 * proxy, or from an address that is another server's.
 */
import { z } from 'zod';
import { ask } from './ask.ts';
import type { KubeTransport } from './transport.ts';

const groupsSchema = z.looseObject({
  kind: z.literal('APIGroupList'),
  groups: z.array(z.looseObject({ versions: z.array(z.looseObject({ groupVersion: z.string() })) })),
});
const resourcesSchema = z.looseObject({
  kind: z.literal('APIResourceList'),
  groupVersion: z.string(),
  resources: z.array(z.looseObject({ name: z.string() })),
});

/** `pipelines`, `pipelines/status`, … of `millrace.io/v1alpha1`; empty when it has no such group and version. */
export async function servedResources(
  transport: KubeTransport,
  apiVersion: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const common = signal === undefined ? {} : { signal };
  const ofAll = { method: 'GET', path: '/apis', what: 'list the API groups', ...common } as const;
  const { groups } = await ask(transport, ofAll, groupsSchema, () => true);
  const isServed = groups.some(({ versions }) => versions.some(({ groupVersion }) => groupVersion === apiVersion));
  if (!isServed) return [];
  const ofGroup = {
    method: 'GET',
    path: `/apis/${apiVersion}`,
    what: `list what ${apiVersion} has`,
    ...common,
  } as const;
  const list = await ask(transport, ofGroup, resourcesSchema, ({ groupVersion }) => groupVersion === apiVersion);
  return list.resources.map(({ name }) => name);
}
