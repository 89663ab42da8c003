/** Follows pipelines: the present state first, then every change, across lost connections. */
import type { StoredPipeline } from '../client/wire.ts';
import { isAborted } from '../model/is-aborted.ts';
import { kind } from '../model/names.ts';
import { heldText } from '../kubernetes/held.ts';
import type { Kube } from '../kubernetes/kube.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { readPipeline } from '../kubernetes/pipelines.ts';

export type Look =
  | {
      readonly is: 'there';
      readonly pipeline: StoredPipeline;
      /** What else keeps a deleted pipeline from going (kubernetes/held.ts); undefined: nothing. */
      readonly held?: string | undefined;
    }
  | { readonly is: 'gone'; readonly name: string; readonly namespace: string };

export interface FollowOptions {
  /** Null: all namespaces. */
  readonly namespace: string | null;
  /** Null: every pipeline. */
  readonly name: string | null;
  readonly signal: AbortSignal;
  readonly onError: (problem: string) => void;
}

/**
 * Yields each look in order, until `signal` is aborted. A named pipeline that does not exist is a look as well: `gone`.
 * Older looks are yielded even if newer ones have arrived, so that no step of an operation is missed.
 */
export async function* follow(kube: Kube, options: FollowOptions): AsyncGenerator<Look> {
  const { watchObjects } = await import('../kubernetes/watch.ts');
  const { namespace, name, signal } = options;
  const looks: Look[] = [];
  let wake = Promise.withResolvers<undefined>();
  const see = (look: Look) => {
    looks.push(look);
    wake.resolve(undefined);
  };
  const concerns = (object: { metadata: { name: string } }) => name === null || object.metadata.name === name;
  const watching = watchObjects(kube, {
    kind,
    namespace: namespace ?? undefined,
    signal,
    onError: options.onError,
    onList: (objects) => {
      const found = objects.filter(concerns);
      for (const object of found) see(there(object));
      if (name !== null && found.length === 0) see({ is: 'gone', name, namespace: namespace ?? 'default' });
    },
    onChange: (change, object) => {
      if (!concerns(object)) return;
      see(change === 'deleted' ? gone(object) : there(object));
    },
  }).finally(() => wake.resolve(undefined));
  while (!isAborted(signal)) {
    const next = looks.shift();
    if (next) {
      yield next;
    } else {
      wake = Promise.withResolvers();
      await wake.promise;
    }
  }
  await watching;
}

function there(object: KubeObject): Look {
  return { is: 'there', pipeline: readPipeline(object), held: heldText(object) };
}

function gone({ metadata }: { metadata: { name: string; namespace?: string | undefined } }): Look {
  return { is: 'gone', name: metadata.name, namespace: metadata.namespace ?? 'default' };
}
