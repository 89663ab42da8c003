/**
 * Chooses a pod for the records of an http source: the ready pods of its stage, in turn.
 *
 * Results are cached for a second, so that many requests do not become as many requests to the Kubernetes API; after a
 * failed pod they are looked up again at once.
 */
import { z } from 'zod';
import { labels } from '../../model/names.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import { recordsPort } from '../../model/ports.ts';
import { recordsPathOf } from '../../crds/unions.ts';
import type { StoredPipeline } from '../../client/wire.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { Target } from './forward.ts';
import { workloadNamespaceOf, type PipelineDoor } from '../../kubernetes/pipelines.ts';

const keptMs = 1_000;

export interface RecordTargets {
  /** `source` null: the only http source. */
  next(at: { namespace: string; name: string; source: string | null }): Promise<{ source: string; target: Target }>;
  forget(at: { namespace: string; name: string; source: string | null }): void;
}

interface Found {
  readonly source: string;
  readonly targets: readonly Target[];
  readonly at: number;
  /** Why none of its pods should be ready; undefined: some should. */
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

export function recordTargets(kube: Kube, pipelines: PipelineDoor, now: () => number = Date.now): RecordTargets {
  const known = new Map<string, Found>();
  let turn = 0;

  async function find(at: { namespace: string; name: string; source: string | null }): Promise<Found> {
    const pipeline = await pipelines.get(at.namespace, at.name);
    const { source, path } = listeningSource(pipeline, at.source);
    const pods = await kube.list('Pod', {
      namespace: workloadNamespaceOf(pipeline),
      labels: { [labels.pipelineUid]: pipeline.metadata.uid ?? '', [labels.stage]: `ingestor-${source}` },
    });
    const targets = pods.items
      .flatMap((pod) => readyAddress(pod) ?? [])
      .map((host) => ({ host, port: recordsPort, path }));
    return { source, targets, at: now(), refusal: onPurpose(pipeline, source) };
  }

  return {
    async next(at) {
      const key = keyOf(at);
      let found = known.get(key);
      if (!found || now() - found.at > keptMs) {
        found = await find(at);
        if (found.targets.length > 0) known.set(key, found);
      }
      turn = (turn + 1) % 1_000_000;
      const target = found.targets[turn % found.targets.length];
      if (!target) {
        if (found.refusal !== undefined) throw found.refusal;
        throw mr('MR_SOURCE_NOT_READY', { source: found.source, name: at.name, problem: 'none of its pods is ready' });
      }
      return { source: found.source, target };
    },
    forget: (at) => void known.delete(keyOf(at)),
  };
}

/** The refusal of a pipeline that is paused or stopped on purpose, where a retry is of no use; undefined: it is not. */
function onPurpose({ metadata, spec }: StoredPipeline, source: string): MillraceError | undefined {
  const { name, namespace = 'default' } = metadata;
  if (metadata.deletionTimestamp !== undefined) return mr('MR_PIPELINE_BEING_DELETED', { name, namespace });
  const states = { Running: undefined, Paused: 'paused', Stopped: 'stopped' } as const;
  const state = states[spec.desiredState];
  return state && mr('MR_SOURCE_AT_REST', { source, name, namespace, state });
}

function keyOf({ namespace, name, source }: { namespace: string; name: string; source: string | null }): string {
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
