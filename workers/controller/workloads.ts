/** The Deployments of all pipelines as last seen: enough to know which are ready and which were changed. */
import { z } from 'zod';
import { isChangedByOthers } from '../../activities/kubernetes/applied.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { labels } from '../../model/names.ts';
import { ListedNamespaces } from './listed-namespaces.ts';

export interface Workload {
  /** `pipeline-orders-abc123/sink-warehouse`. */
  readonly name: string;
  readonly namespace: string;
  readonly pipelineUid: string;
  readonly stage: string;
  readonly wanted: number;
  readonly ready: number;
  readonly isChangedByOthers: boolean;
}

const deploymentSchema = z.looseObject({
  spec: z.looseObject({ replicas: z.number().default(1) }),
  status: z.looseObject({ readyReplicas: z.number().default(0) }).default({ readyReplicas: 0 }),
});

export class Workloads {
  readonly #byUid = new Map<string, Map<string, Workload>>();
  readonly #listed = new ListedNamespaces();

  /** False: not listed there yet, so nothing may be concluded from a missing one. */
  isSyncedIn(namespace: string): boolean {
    return this.#listed.has(namespace);
  }

  of(pipelineUid: string): readonly Workload[] {
    return [...(this.#byUid.get(pipelineUid)?.values() ?? [])];
  }

  put(workload: Workload): void {
    const ofPipeline = this.#byUid.get(workload.pipelineUid) ?? new Map<string, Workload>();
    this.#byUid.set(workload.pipelineUid, ofPipeline.set(workload.name, workload));
  }

  remove({ pipelineUid, name }: Workload): void {
    const ofPipeline = this.#byUid.get(pipelineUid);
    ofPipeline?.delete(name);
    if (ofPipeline?.size === 0) this.#byUid.delete(pipelineUid);
  }

  /** `namespace` undefined: of all. */
  replaceAll(workloads: readonly Workload[], namespace: string | undefined): void {
    for (const workload of [...this.#byUid.values()].flatMap((ofPipeline) => [...ofPipeline.values()]))
      if (namespace === undefined || workload.namespace === namespace) this.remove(workload);
    for (const workload of workloads) this.put(workload);
    this.#listed.note(namespace);
  }
}

/** Undefined when the Deployment is not a stage of a pipeline. */
export function workloadOf(deployment: KubeObject): Workload | undefined {
  const { name, namespace = '', labels: labelled = {} } = deployment.metadata;
  const stage = labelled[labels.stage];
  const pipelineUid = labelled[labels.pipelineUid];
  const parsed = deploymentSchema.safeParse(deployment);
  if (stage === undefined || pipelineUid === undefined || !parsed.success) return undefined;
  return {
    name: `${namespace}/${name}`,
    namespace,
    pipelineUid,
    stage,
    wanted: parsed.data.spec.replicas,
    ready: parsed.data.status.readyReplicas,
    isChangedByOthers: isChangedByOthers(deployment),
  };
}
