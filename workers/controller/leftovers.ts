/**
 * Finds what is left of pipelines that no longer exist: an entity, objects or streams without their resource. It was
 * deleted while no controller ran, its finalizer was removed by hand, or its namespace was deleted.
 *
 * L1  Only leftovers of this cluster count: entities on its task queue, objects and streams that name it. Those that
 *     name no cluster are of v0.1 and have an entity, or belong to others.
 * L2  A resource counts as gone when the API server has said so about this very resource twice, some time apart
 *     (`activities/proof.ts`). Absence from a list proves nothing; a request that fails starts the count again.
 * L3  Objects that are being deleted, and those left on purpose (deletionPolicy Orphan), are left alone.
 * L4  Nothing is deleted here. The entity is notified that the resource is gone; it checks by itself and tears down.
 * L5  A sweep sends a limited number of requests and notifies a limited number of entities, however much is left: each
 *     sweep looks at one place, the next sweep at the next.
 * L6  Where only some namespaces are watched, what names another one is left alone: nothing could be proven there.
 */
import { findResource } from '../../activities/proof.ts';
import { ownedKinds } from '../../activities/kubernetes/owned.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KindName, KubeObject } from '../../kubernetes/objects.ts';
import { assertNever } from '../../model/errors.ts';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { annotations, labels } from '../../model/names.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import type { OpenEntities } from './engine.ts';

/** Where something of a pipeline was found. */
type Trace =
  | { readonly in: 'Temporal' }
  | {
      readonly in: 'Kubernetes';
      readonly kind: KindName;
      readonly name: string;
      readonly namespace: string | undefined;
    }
  | { readonly in: 'NATS'; readonly stream: string };

interface Leftover {
  readonly pipeline: PipelineRef;
  readonly trace: Trace;
  /** When the resource was first proven to be gone; undefined: not yet. */
  absentSince: number | undefined;
  toldAt: number | undefined;
}

export interface LeftoversParts {
  readonly kube: Kube;
  readonly streams: () => JetStreamPort | undefined;
  readonly cluster: () => Promise<string>;
  /** Whether the watch knows a resource with this uid, or with this short id. */
  readonly isKnown: (of: { readonly uid: string } | { readonly pid: string }) => boolean;
  /** L4. `trace`: what was found, for people. */
  readonly tell: (pipeline: PipelineRef, trace: string) => Promise<void>;
  readonly now: () => number;
  /** L2. Least time between two proofs. */
  readonly distanceMs: number;
}

/** L5, each sweep. */
const most = { proofs: 30, tellings: 10, streams: 100 } as const;
/** What exceeds this is found again in the next round, if it still exists. */
const maxRemembered = 1_000;
/** A teardown may wait for minutes, for NATS or for a namespace; the entity needs to be told once. */
const tellAgainMs = 600_000;

const places = ['Namespace', ...ownedKinds, 'streams'] as const;

export class Leftovers {
  readonly #parts: LeftoversParts;
  readonly #found = new Map<string, Leftover>();
  #place = 0;
  #lastStream = '';

  constructor(parts: LeftoversParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#found.size;
  }

  /** Throws the error that ended the sweep; the next sweep continues. */
  async sweep({ own }: Pick<OpenEntities, 'own'>): Promise<void> {
    const cluster = await this.#parts.cluster();
    const entities = new Set(own.map(({ uid }) => uid));
    for (const [uid, { trace }] of this.#found)
      if (this.#parts.isKnown({ uid }) || (trace.in === 'Temporal' && !entities.has(uid))) this.#found.delete(uid);
    for (const pipeline of own) this.#note({ ...pipeline, cluster }, { in: 'Temporal' });
    await this.#prove();
    await this.#lookAround(cluster);
  }

  #note(pipeline: PipelineRef, trace: Trace): void {
    const { uid, namespace } = pipeline;
    if (this.#parts.kube.transport.onlyIn?.includes(namespace) === false) return;
    if (this.#parts.isKnown({ uid }) || this.#found.has(uid) || this.#found.size >= maxRemembered) return;
    this.#found.set(uid, { pipeline, trace, absentSince: undefined, toldAt: undefined });
  }

  /** L2. */
  async #prove(): Promise<void> {
    const { kube, now, distanceMs, tell } = this.#parts;
    let { proofs, tellings }: Record<keyof typeof most, number> = most;
    for (const [uid, leftover] of [...this.#found]) {
      const { pipeline, trace, absentSince, toldAt } = leftover;
      if (proofs === 0) return;
      if (toldAt !== undefined && now() - toldAt < tellAgainMs) continue;
      if (absentSince !== undefined && now() - absentSince < distanceMs) continue;
      proofs -= 1;
      // Moved to the end, so that each has its turn.
      this.#found.delete(uid);
      this.#found.set(uid, { ...leftover, absentSince: undefined });
      if ((await findResource(kube, pipeline)) !== undefined || !(await this.#isStill(trace))) {
        this.#found.delete(uid);
      } else if (absentSince === undefined || tellings === 0) {
        this.#found.set(uid, { ...leftover, absentSince: absentSince ?? now() });
      } else {
        tellings -= 1;
        await tell(pipeline, textOf(trace));
        this.#found.set(uid, { ...leftover, toldAt: now() });
      }
    }
  }

  async #isStill(trace: Trace): Promise<boolean> {
    switch (trace.in) {
      case 'Temporal':
        return true;
      case 'Kubernetes': {
        const live = await this.#parts.kube.get(trace.kind, trace.name, trace.namespace);
        return live !== undefined && ownerOf(live, await this.#parts.cluster()) !== undefined;
      }
      case 'NATS': {
        const streams = this.#parts.streams();
        if (streams?.link.connected !== true) return false;
        return (await streams.streamNames('mr.>')).includes(trace.stream);
      }
      default:
        return assertNever(trace);
    }
  }

  /** L5: one place per sweep. A place that cannot be read does not keep the next one from its turn. */
  async #lookAround(cluster: string): Promise<void> {
    const place = places[this.#place] ?? 'Namespace';
    this.#place = (this.#place + 1) % places.length;
    const { kube } = this.#parts;
    if (place === 'streams') return this.#lookAtStreams(cluster);
    // L6: it is asked for by name, when its pipeline is taken down.
    if (place === 'Namespace' && kube.transport.onlyIn !== undefined) return;
    await kube.list(place, {
      labels: { [labels.managedBy]: 'millrace' },
      metadataOnly: true,
      onPage: (objects) => {
        for (const object of objects) {
          const { name, namespace } = object.metadata;
          const pipeline = ownerOf(object, cluster);
          if (pipeline !== undefined) this.#note(pipeline, { in: 'Kubernetes', kind: place, name, namespace });
        }
      },
    });
  }

  async #lookAtStreams(cluster: string): Promise<void> {
    const streams = this.#parts.streams();
    if (streams?.link.connected !== true) return;
    const names = (await streams.streamNames('mr.>')).filter((name) => !this.#isOfKnown(name)).sort();
    const rest = names.filter((name) => name > this.#lastStream);
    const looked = rest.slice(0, most.streams);
    this.#lastStream = rest.length > looked.length ? (looked.at(-1) ?? '') : '';
    for (const stream of looked) {
      const { config } = await streams.streamInfo(stream);
      const pipeline = ownerIn(config.metadata ?? {}, config.metadata ?? {}, cluster);
      if (pipeline !== undefined) this.#note(pipeline, { in: 'NATS', stream });
    }
  }

  /** `mr-<pid>-<edge>`: both parts may contain dashes. */
  #isOfKnown(stream: string): boolean {
    const ends = stream.matchAll(/-[0-9a-f]{6}(?=-)/g);
    return [...ends].some(({ index }) => this.#parts.isKnown({ pid: stream.slice('mr-'.length, index + 7) }));
  }
}

/** L1, L3. Undefined: no leftover of this cluster. */
function ownerOf({ metadata }: KubeObject, cluster: string): PipelineRef | undefined {
  if (metadata.deletionTimestamp != null) return undefined;
  return ownerIn(metadata.labels ?? {}, metadata.annotations ?? {}, cluster);
}

function ownerIn(
  labelled: Readonly<Record<string, string>>,
  annotated: Readonly<Record<string, string>>,
  cluster: string,
): PipelineRef | undefined {
  const { [labels.pipelineUid]: uid, [labels.pipeline]: name, [labels.pipelineNamespace]: namespace } = labelled;
  if (annotated[annotations.cluster] !== cluster || annotated[annotations.released] !== undefined) return undefined;
  return uid === undefined || name === undefined || namespace === undefined
    ? undefined
    : { namespace, name, uid, cluster };
}

function textOf(trace: Trace): string {
  switch (trace.in) {
    case 'Temporal':
      return 'its workflow';
    case 'Kubernetes':
      return `${trace.kind} ${trace.namespace === undefined ? '' : `${trace.namespace}/`}${trace.name}`;
    case 'NATS':
      return `stream ${trace.stream}`;
    default:
      return assertNever(trace);
  }
}
