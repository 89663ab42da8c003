/**
 * The environment of a container, built as kubelet builds it.
 *
 * V1  Order: `envFrom` in order, then `env` in order; the later of two equal names wins.
 * V2  `$(NAME)` is replaced by a variable defined before it; an unknown one stays as written; `$$(NAME)` is `$(NAME)`.
 * V3  A missing ConfigMap, Secret or key is a ContainerFault that names it, unless `optional`.
 */
import { ContainerFault } from './fault.ts';
import { fieldValue, type Placement } from './field-ref.ts';
import type { Container, EnvVar, KeyedSource, Pod } from './pod.ts';

export type Lookup = (kind: KeyedSource['kind'], name: string) => Promise<KeyedSource | undefined>;

export async function resolveEnv(
  pod: Pod,
  container: Container,
  placement: Placement,
  lookup: Lookup,
): Promise<Map<string, string>> {
  const env = new Map<string, string>();
  for (const from of container.envFrom) {
    if (from.configMapRef) await addAll(env, from.prefix, 'ConfigMap', from.configMapRef, lookup);
    if (from.secretRef) await addAll(env, from.prefix, 'Secret', from.secretRef, lookup);
  }
  for (const variable of container.env) {
    const value = await valueOf(variable, env, pod, placement, lookup);
    if (value !== undefined) env.set(variable.name, value);
  }
  return env;
}

/** V2. */
export function expand(text: string, env: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\$|\$\(([^()]*)\)/g, (match, name: string | undefined) => {
    if (match === '$$') return '$';
    return env.get(name ?? '') ?? match;
  });
}

interface NameRef {
  readonly name: string;
  readonly optional: boolean;
}

async function addAll(
  env: Map<string, string>,
  prefix: string,
  kind: KeyedSource['kind'],
  ref: NameRef,
  lookup: Lookup,
): Promise<void> {
  const source = await lookup(kind, ref.name);
  if (!source) {
    if (ref.optional) return;
    throw missing(kind, ref.name);
  }
  for (const [key, value] of source.data) env.set(prefix + key, value.toString('utf8'));
}

async function valueOf(
  variable: EnvVar,
  env: ReadonlyMap<string, string>,
  pod: Pod,
  placement: Placement,
  lookup: Lookup,
): Promise<string | undefined> {
  const from = variable.valueFrom;
  if (!from) return expand(variable.value ?? '', env);
  if (from.fieldRef) return fieldValue(from.fieldRef.fieldPath, pod, placement);
  if (from.configMapKeyRef) return await keyOf('ConfigMap', from.configMapKeyRef, lookup);
  if (from.secretKeyRef) return await keyOf('Secret', from.secretKeyRef, lookup);
  throw new ContainerFault(
    'UnsupportedField',
    `env ${variable.name}: the local node supports fieldRef, configMapKeyRef and secretKeyRef, not ${Object.keys(from).join(', ') || 'this valueFrom'}`,
  );
}

async function keyOf(
  kind: KeyedSource['kind'],
  ref: NameRef & { readonly key: string },
  lookup: Lookup,
): Promise<string | undefined> {
  const source = await lookup(kind, ref.name);
  if (!source) {
    if (ref.optional) return undefined;
    throw missing(kind, ref.name);
  }
  const value = source.data.get(ref.key);
  if (value !== undefined) return value.toString('utf8');
  if (ref.optional) return undefined;
  throw new ContainerFault('CreateContainerConfigError', `couldn't find key ${ref.key} in ${kind} ${ref.name}`);
}

function missing(kind: KeyedSource['kind'], name: string): ContainerFault {
  return new ContainerFault('CreateContainerConfigError', `${kind.toLowerCase()} "${name}" not found`);
}
