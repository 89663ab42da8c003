/**
 * One pipeline as the controller knows it: the last version of its resource, and everything remembered about it.
 *
 * P1  Everything remembered about a pipeline is in its record and is dropped with it: there is nothing to clean up.
 * P2  Expensive work is done once, when the cache takes a resource in: references are searched when the spec has
 *     changed, the status is parsed when the resource has. The spec itself is not kept.
 */
import type { PodTrouble } from '../../activities/kubernetes/pods.ts';
import { findReferences } from '../../model/credentials.ts';
import { toJson } from '../../model/json.ts';
import type { PipelineRef, Told } from '../../model/lifecycle.ts';
import { annotations, finalizer, pidOf } from '../../model/names.ts';
import type { CredentialRef } from '../../model/plan.ts';
import type { PipelineStatus } from '../../model/status.ts';
import { statusSchema } from '../../crds/status.ts';
import { foreignParts, type Foreign } from '../../kubernetes/status-owners.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { DeadLetterCount } from '../../stream/dead-letter-count.ts';
import type { Deviation } from './deviation.ts';
import { DeviationMemory } from './deviation-memory.ts';
import { LetterNews } from './letter-news.ts';
import { Outages } from './outages.ts';
import { WritePace } from './write-pace.ts';
import type { HeardText } from './stage-fact.ts';
import type { LostStream } from '../../stream/lost-stream.ts';

/** What the controller needs to know of a resource. */
export interface Seen {
  readonly resourceVersion: string;
  readonly generation: number;
  readonly deleting: boolean;
  /** It has our finalizer. */
  readonly isOurs: boolean;
  readonly status: PipelineStatus;
  /** The last decision of a person: the annotation's value. */
  readonly decision?: string | undefined;
  /** Present value of the annotation millrace.io/retry. */
  readonly retry?: string | undefined;
  readonly references: readonly CredentialRef[];
  /** Parts of the status that somebody else has written (`kubernetes/status-owners.ts`). */
  readonly foreign?: readonly Foreign[];
}

/** Why the entity cannot be notified: Temporal does not answer, or the finalizer may not be written. */
export interface Untold {
  /** From the table of errors. */
  readonly reason: string;
  readonly message: string;
}

/** What the entity was told, and what it must still be told. */
export interface Telling {
  told: Told | undefined;
  toldAt: number;
  isMissing: boolean;
  deviation: Deviation | undefined;
  /** Workflow id of an operation that waits for something that has changed now. */
  waiting: string | undefined;
  untold: Untold | undefined;
  readinessToldAt: number;
  /** Last value of millrace.io/retry that was passed on, or that came while nothing had failed. */
  retried: string | undefined;
}

interface Counted extends DeadLetterCount {
  /** Sum of the pods' counts at that time: another sum is a reason to count again. */
  readonly reported: number;
  readonly at: number;
}

/** Why pods of a stage are not ready, from their status when last read. */
export interface Reason {
  readonly trouble: PodTrouble | undefined;
  /** Of processes that were ended for their memory: what there was to tell of them is told. */
  readonly ends: readonly string[];
  readonly askAgainAt: number;
  readonly pauseMs: number;
}

export class PipelineRecord {
  readonly key: string;
  readonly ref: PipelineRef;
  readonly pid: string;
  seen: Seen;
  readonly telling: Telling = {
    told: undefined,
    toldAt: 0,
    isMissing: false,
    deviation: undefined,
    waiting: undefined,
    untold: undefined,
    readinessToldAt: -Infinity,
    retried: undefined,
  };
  /** When to look again if nothing is heard of it and no pod falls silent. */
  lookAt = 0;
  /** Last report by pod. */
  readonly heard = new Map<string, HeardText>();
  /** When a pod of a stage last said that it is ending, by stage. */
  readonly leftAt = new Map<string, number>();
  /** Since when a stage has slots without a pod, by stage. */
  readonly freeSince = new Map<string, number>();
  /** By stage. */
  readonly reasons = new Map<string, Reason>();
  /** Whether a source still has the copied values, by source and versions of both. */
  readonly compared = new Map<string, boolean>();
  readonly pace = new WritePace();
  readonly deviations = new DeviationMemory();
  readonly outages = new Outages();
  /** A stream of the pipeline that was found to be missing (`./stream-look.ts`). */
  lost: LostStream | undefined;
  counted: Counted | undefined;
  readonly letterNews = new LetterNews();

  constructor({ key, ref, seen }: Sighting) {
    this.key = key;
    this.ref = ref;
    this.pid = pidOf(ref.name, ref.uid);
    this.seen = seen;
  }
}

/** A resource as seen in a list, in a watch, or in the answer to a write. */
export interface Sighting {
  readonly key: string;
  readonly ref: PipelineRef;
  readonly seen: Seen;
}

/** P2. Reuses what was derived before where the resource has not changed. */
export function sightingOf(resource: KubeObject, known: (key: string) => PipelineRecord | undefined): Sighting {
  const { namespace = '', name, uid = '' } = resource.metadata;
  const key = `${namespace}/${name}`;
  const before = known(key);
  return {
    key,
    ref: { namespace, name, uid },
    seen: seenOf(resource, before?.ref.uid === uid ? before.seen : undefined),
  };
}

function seenOf(resource: KubeObject, before: Seen | undefined): Seen {
  const { resourceVersion = '', generation = 0, deletionTimestamp, finalizers = [] } = resource.metadata;
  if (before !== undefined && before.resourceVersion === resourceVersion) return before;
  const foreign = foreignParts(resource.metadata);
  return {
    resourceVersion,
    generation,
    deleting: deletionTimestamp != null,
    isOurs: finalizers.includes(finalizer),
    status: statusOf(resource, foreign),
    foreign,
    decision: resource.metadata.annotations?.[annotations.decision],
    retry: resource.metadata.annotations?.[annotations.retry],
    references:
      before?.generation === generation ? before.references : findReferences(toJson(resource['spec'] ?? null)).refs,
  };
}

/** An operation that another has written is none: whoever waits for its end would wait for ever. */
function statusOf(resource: KubeObject, foreign: readonly Foreign[]): PipelineStatus {
  const parsed = statusSchema.safeParse(resource['status'] ?? {});
  if (!parsed.success) return {};
  const { operation, ...status } = parsed.data;
  const isBelieved = operation !== undefined && !foreign.some(({ part }) => part === 'operation');
  return isBelieved ? { ...status, operation } : status;
}
