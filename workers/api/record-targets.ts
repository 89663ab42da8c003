/**
 * Chooses a pod for the records of an http source: the ready pods of its stage, in turn.
 *
 * Results are cached for a second, and so are refusals, so that many requests do not become as many requests to the Kubernetes
 * API; after a failed pod they are looked up again at once.
 */
import { z } from 'zod';
import { labels } from '../../model/names.ts';
import { mr, MillraceError } from '../../model/errors.ts';
import { recordsPort } from '../../model/ports.ts';
import { recordsPathOf } from '../../crds/unions.ts';
import type { StoredPipeline } from '../../client/wire.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { Target } from './forward.ts';
import { Remembered, type Now } from './identity/remembered.ts';
import { workloadNamespaceOf, type PipelineDoor } from '../../kubernetes/pipelines.ts';

const keptMs = 1_000;

export interface RecordTargets {
  /** `charge` is called before Kubernetes is asked; what it throws ends it. */
  next(at: At, charge: () => void): Promise<{ source: string; target: Target }>;
  forget(at: At): void;
}

interface At {
  readonly namespace: string;
  readonly name: string;
  /** Null: the only http source. */
  readonly source: string | null;
}

interface Found {
  readonly source: string;
  readonly targets: readonly Target[];
  /** Why it has none, where there should be none; undefined: there should be some. */
  readonly refusal: MillraceError | undefined;
}

const podSchema = z.looseObject({
  metadata: z.looseObject({ deletionTimestamp: z.string().nullish() }),
  status: z
    .looseObject({
      podIP: z.string().optional(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional(),
    })
    .optional(),
});

export function recordTargets(kube: Kube, pipelines: PipelineDoor, now: Now = () => performance.now()): RecordTargets {
  const known = new Remembered<Found>({ ttlOf: keptFor, now });
  let turn = 0;

  async function find(at: At): Promise<Found> {
    try {
      return await findIn(await pipelines.get(at.namespace, at.name), at.source);
    } catch (error) {
      if (!(error instanceof MillraceError) || !isAbsent(error)) throw error;
      return { source: at.source ?? '', targets: [], refusal: error };
    }
  }

  async function findIn(pipeline: StoredPipeline, wanted: string | null): Promise<Found> {
    const { source, path } = listeningSource(pipeline, wanted);
    const pods = await kube.list('Pod', {
      namespace: workloadNamespaceOf(pipeline),
      labels: { [labels.pipelineUid]: pipeline.metadata.uid ?? '', [labels.stage]: `ingestor-${source}` },
    });
    const targets = pods.items
      .flatMap((pod) => readyAddress(pod) ?? [])
      .map((host) => ({ host, port: recordsPort, path }));
    return { source, targets, refusal: onPurpose(pipeline, source) };
  }

  return {
    async next(at, charge) {
      const key = keyOf(at);
      if (!known.has(key)) charge();
      const found = await known.get(key, () => find(at));
      turn = (turn + 1) % 1_000_000;
      const target = found.targets[turn % found.targets.length];
      if (!target) {
        if (found.refusal !== undefined) throw found.refusal;
        throw mr('MR_SOURCE_NOT_READY', { source: found.source, name: at.name, problem: 'none of its pods is ready' });
      }
      return { source: found.source, target };
    },
    forget: (at) => known.forget(keyOf(at)),
  };
}

/** ms. A pod that is ready any moment is found at once. */
function keptFor({ targets, refusal }: Found): number {
  return targets.length > 0 || refusal !== undefined ? keptMs : 0;
}

function isAbsent({ code }: MillraceError): boolean {
  return code === 'MR_PIPELINE_NOT_FOUND' || code === 'MR_SOURCE_TAKES_NO_RECORDS';
}

/** The refusal of a pipeline that is paused or stopped on purpose, where a retry is of no use; undefined: it is not. */
function onPurpose({ metadata, spec }: StoredPipeline, source: string): MillraceError | undefined {
  const { name, namespace = 'default' } = metadata;
  if (metadata.deletionTimestamp !== undefined) return mr('MR_PIPELINE_BEING_DELETED', { name, namespace });
  const states = { Running: undefined, Paused: 'paused', Stopped: 'stopped' } as const;
  const state = states[spec.desiredState];
  return state && mr('MR_SOURCE_AT_REST', { source, name, namespace, state });
}

function keyOf({ namespace, name, source }: At): string {
  return `${namespace}/${name}/${source ?? ''}`;
}

function listeningSource({ metadata, spec }: StoredPipeline, wanted: string | null): { source: string; path: string } {
  const at = { namespace: metadata.namespace ?? 'default', name: metadata.name };
  const sources = spec.sources.flatMap((source) => {
    const path = recordsPathOf(source);
    return path === undefined ? [] : [{ source: source.name, path }];
  });
  const [first, second] = wanted === null ? sources : sources.filter(({ source }) => source === wanted);
  if (!first) {
    const problem = wanted === null ? 'no http source' : `no http source "${wanted}"`;
    throw mr('MR_SOURCE_TAKES_NO_RECORDS', { ...at, problem });
  }
  if (second) {
    const names = sources.map(({ source }) => source).join(', ');
    throw mr('MR_SOURCE_TAKES_NO_RECORDS', { ...at, problem: `several http sources (${names}): name one in the path` });
  }
  return first;
}

function readyAddress(pod: unknown): string | null {
  const { metadata, status } = podSchema.parse(pod);
  const isReady = status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
  return isReady && metadata.deletionTimestamp == null ? (status?.podIP ?? null) : null;
}
