/**
 * ConfigMaps and Secrets, read from the API when they are needed and stored nowhere on disk.
 *
 * While the API does not answer, the last content that this node has read is used: a container that must be restarted
 * does not wait for the API server.
 */
import { configMapSchema, secretSchema, type KeyedSource } from './pod.ts';
import { isNotFound, refusalOf, type Kube } from './kube.ts';

/** How long to wait for the API when the last content could be used instead. */
const soonMs = 3_000;

export interface Sources {
  /** Undefined: it does not exist. */
  read(kind: KeyedSource['kind'], namespace: string, name: string): Promise<KeyedSource | undefined>;
}

export function openSources(kube: Kube): Sources {
  const known = new Map<string, KeyedSource | undefined>();
  return {
    async read(kind, namespace, name) {
      const path = `/api/v1/namespaces/${namespace}/${kind === 'Secret' ? 'secrets' : 'configmaps'}/${name}`;
      try {
        const source = parse(
          kind,
          await kube.json(known.has(path) ? { path, signal: AbortSignal.timeout(soonMs) } : { path }),
        );
        known.set(path, source);
        return source;
      } catch (error) {
        if (isNotFound(error)) {
          known.set(path, undefined);
          return undefined;
        }
        if (refusalOf(error) !== undefined || !known.has(path)) throw error;
        return known.get(path);
      }
    },
  };
}

function parse(kind: KeyedSource['kind'], object: unknown): KeyedSource {
  if (kind === 'Secret') {
    const { metadata, data } = secretSchema.parse(object);
    return { kind, name: metadata.name, data: decoded(data, 'base64') };
  }
  const { metadata, data, binaryData } = configMapSchema.parse(object);
  return { kind, name: metadata.name, data: new Map([...decoded(data, 'utf8'), ...decoded(binaryData, 'base64')]) };
}

function decoded(data: Readonly<Record<string, string>>, encoding: 'utf8' | 'base64'): Map<string, Buffer> {
  return new Map(
    Object.keys(data)
      .sort()
      .map((key) => [key, Buffer.from(data[key] ?? '', encoding)]),
  );
}
