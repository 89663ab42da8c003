/** Pods for tests: only what matters is named. */
import { podSchema, type Container, type KeyedSource, type Pod } from '../../../local/node/pod.ts';
import type { Lookup } from '../../../local/node/env.ts';
import type { Placement } from '../../../local/node/field-ref.ts';

export const placement: Placement = { nodeName: 'local', hostIP: '127.0.0.1', podIP: '127.77.0.1' };

export function pod(container: object = {}, spec: object = {}): Pod {
  return podSchema.parse({
    metadata: { name: 'p', namespace: 'shop', uid: 'u', labels: { app: 'x', 'a/b': 'y' }, annotations: { note: 'n' } },
    spec: { containers: [{ name: 'main', ...container }], ...spec },
  });
}

export function firstContainer(of: Pod): Container {
  const [container] = of.spec.containers;
  if (!container) throw new TypeError('a pod has a container');
  return container;
}

export function sources(held: Readonly<Record<string, Readonly<Record<string, string>>>>): Lookup {
  return (kind, name) => {
    const data = held[`${kind}/${name}`];
    if (!data) return Promise.resolve(undefined);
    const bytes = new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]));
    const source: KeyedSource = { kind, name, data: bytes };
    return Promise.resolve(source);
  };
}
