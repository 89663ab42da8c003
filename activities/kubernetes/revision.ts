/**
 * Every accepted spec as a ControllerRevision beside the resource, named by the pipeline's short id and the spec's
 * hash.
 *
 * V0  It may outlive the resource (`kubectl delete --cascade=orphan`): so a pipeline with the same name and the same
 *     spec that is created afterwards needs another name for its revision.
 * V1  The same spec gives the same object: returning to an old spec raises its number and creates no copy.
 * V2  The object belongs to the resource and is deleted with it; the last ten are kept.
 */
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { hashOf } from '../../model/json.ts';
import type { LifecycleActivities, PipelineRef } from '../../model/lifecycle.ts';
import { annotations, apiVersion, kind, labels, pidOf } from '../../model/names.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { readResource } from '../proof.ts';
import { asStep } from '../step.ts';
import { applyFenced } from './fenced.ts';
import type { KubeObject, Manifest } from '../../kubernetes/objects.ts';
import { ownerLabels } from './render/context.ts';

const kept = 10;
const revisionSchema = z.looseObject({ revision: z.number().default(0) });

export function revisionActivities(deps: ActivityDependencies): Pick<LifecycleActivities, 'recordRevision'> {
  const { kube } = deps;
  return {
    recordRevision: asStep(deps, async ({ op, generation }) => {
      const resource = await readResource(kube, op.pipeline);
      const newer = resource.metadata.generation ?? 0;
      const { namespace, name: pipeline } = op.pipeline;
      if (newer !== generation) throw mr('MR_GENERATION_SUPERSEDED', { namespace, name: pipeline, generation, newer });
      const all = (await kube.list('ControllerRevision', { namespace, labels: ownerLabels(op.pipeline.uid) })).items;
      const name = revisionName(op.pipeline, resource['spec']);
      const last = all.toSorted((a, b) => numberOf(b) - numberOf(a));
      const isLast = last[0]?.metadata.name === name;
      const number = (last[0] === undefined ? 0 : numberOf(last[0])) + (isLast ? 0 : 1);
      const manifest = renderRevision(op.pipeline, name, number, resource['spec'], op.seq);
      await applyFenced(kube, manifest, op);
      for (const old of last.filter(({ metadata }) => metadata.name !== name).slice(kept - 1)) {
        await kube.delete('ControllerRevision', old.metadata.name, namespace, { uid: old.metadata.uid });
      }
      return { revision: name };
    }),
  };
}

function revisionName({ name, uid }: PipelineRef, spec: unknown): string {
  return `${pidOf(name, uid)}-${hashOf(spec).slice(0, 10)}`;
}

function renderRevision(pipeline: PipelineRef, name: string, revision: number, spec: unknown, opSeq: number): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      namespace: pipeline.namespace,
      labels: { ...ownerLabels(pipeline.uid), [labels.pipeline]: pipeline.name, [labels.managedBy]: 'millrace' },
      annotations: { [annotations.opSeq]: String(opSeq) },
      ownerReferences: [{ apiVersion, kind, name: pipeline.name, uid: pipeline.uid }],
    },
    data: { spec },
    revision,
  };
}

function numberOf(revision: KubeObject): number {
  return revisionSchema.parse(revision).revision;
}
