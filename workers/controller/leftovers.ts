/**
 * What there is of pipelines that are not: an entity, objects or streams whose resource is gone. It was deleted while no
 * controller was up, its finalizer was taken off by hand, or its namespace went with it.
 *
 * L1  Only what was made for this cluster counts: entities on its task queue, objects and streams that name it. What names
 *     none is of v0.1 and has an entity, or was made by others.
 * L2  That a resource is gone is believed when the API server has said so of this very resource twice, some time apart
 *     (`activities/proof.ts`). A list without it says nothing, a question without an answer begins anew.
 * L3  What is on its way out, and what was left on purpose (deletionPolicy Orphan), is let be.
 * L4  Nothing is deleted here. The entity is told that there is no resource; it looks for itself, and takes down.
 * L5  A sweep asks a bounded number of questions and tells a bounded number of entities, however much is left: each look is
 *     at one place, and goes on with the next one.
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
  /** When the resource was proven to be gone first; undefined: it was not. */
  absentSince: number | undefined;
  toldAt: number | undefined;
}

export interface LeftoversParts {
  readonly kube: Kube;
  readonly streams: () => JetStreamPort | undefined;
  readonly cluster: () => Promise<string>;
  /** Whether there is a resource with this uid, or with this short id, as far as the watch tells. */
  readonly isKnown: (of: { readonly uid: string } | { readonly pid: string }) => boolean;
  /** L4. `trace`: what was found, for people. */
  readonly tell: (pipeline: PipelineRef, trace: string) => Promise<void>;
  readonly now: () => number;
  /** L2. Between two proofs. */
  readonly distanceMs: number;
}

/** L5, each sweep. */
const most = { proofs: 30, tellings: 10, streams: 100 } as const;
/** Found again in the next round, if it is still there. */
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

  /** Throws what kept it from looking; the next sweep goes on. */
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
    const { uid } = pipeline;
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
      // What is asked now comes last next time, so that each has its turn.
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

  /** L5: one place after the other. A place that cannot be looked at does not keep the next one from its turn. */
  async #lookAround(cluster: string): Promise<void> {
    const place = places[this.#place] ?? 'Namespace';
    this.#place = (this.#place + 1) % places.length;
    if (place === 'streams') return this.#lookAtStreams(cluster);
    await this.#parts.kube.list(place, {
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

  /** `mr-<pid>-<edge>`: either may have a dash in it. */
  #isOfKnown(stream: string): boolean {
    const ends = stream.matchAll(/-[0-9a-f]{6}(?=-)/g);
    return [...ends].some(({ index }) => this.#parts.isKnown({ pid: stream.slice('mr-'.length, index + 7) }));
  }
}

/** L1, L3. */
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
