/** What every manifest of a pipeline has in common: names, labels, the stamp of the operation that writes it. */
import {
  annotations,
  credentialsSecret,
  imagePullSecret,
  labels,
  natsAccessSecret,
  planConfigMap,
} from '../../../model/names.ts';
import type { Plan, Stage } from '../../../model/plan.ts';

export interface RenderContext {
  readonly plan: Plan;
  /** Sequence of the operation that writes. */
  readonly opSeq: number;
  /** uid of the cluster that it writes to. */
  readonly cluster: string;
  readonly image: string;
  /** NATS as pods reach it. */
  readonly natsUrl: string;
  /** Whether pods mount what they show to NATS (`./pod-access.ts`). Default false. */
  readonly mountsNatsAccess?: boolean;
}

/** Names of a pipeline's objects: plain in a namespace of its own, led by the pipeline's name beside others. */
export function objectNames(plan: Pick<Plan, 'isolation' | 'pipeline'>) {
  return namesIn(plan.isolation, plan.pipeline.name);
}

export function namesIn(isolation: Plan['isolation'], pipeline: string) {
  const prefix = isolation === 'Namespace' ? '' : `${pipeline}-`;
  return {
    plan: (generation: number) => `${prefix}${planConfigMap(generation)}`,
    credentials: `${prefix}${credentialsSecret}`,
    natsAccess: `${prefix}${natsAccessSecret}`,
    imagePull: `${prefix}${imagePullSecret}`,
    serviceAccount: `${prefix}pipeline`,
    networkPolicy: `${prefix}pipeline`,
  };
}

/** Selects all objects of a pipeline. */
export function ownerLabels(uid: string): Record<string, string> {
  return { [labels.pipelineUid]: uid };
}

/** Selects the pods of a stage; immutable in a Deployment's selector. */
export function stageSelector(uid: string, stage: string): Record<string, string> {
  return { ...ownerLabels(uid), [labels.stage]: stage };
}

export function commonLabels({ pipeline }: Plan, stage?: Stage): Record<string, string> {
  return {
    ...ownerLabels(pipeline.uid),
    [labels.pipeline]: pipeline.name,
    [labels.pipelineNamespace]: pipeline.namespace,
    [labels.managedBy]: 'millrace',
    [labels.partOf]: pipeline.name,
    ...(stage === undefined ? {} : { [labels.stage]: stage.name }),
  };
}

export function stamp({ plan, opSeq, cluster }: RenderContext): Record<string, string> {
  return {
    [annotations.opSeq]: String(opSeq),
    [annotations.generation]: String(plan.pipeline.generation),
    [annotations.cluster]: cluster,
  };
}

/** Metadata of an object in the workloads' namespace. */
export function metadata(context: RenderContext, name: string, stage?: Stage) {
  return {
    name,
    namespace: context.plan.workloadNamespace,
    labels: commonLabels(context.plan, stage),
    annotations: stamp(context),
  };
}
