/** What a test asks of a Pipeline resource, through kubectl. */
import { pipelineSchema, type Pipeline } from '../../../crds/pipeline.ts';
import { eventually } from '../../support/eventually.ts';
import type { Kubectl } from './kubectl.ts';

export async function getPipeline(
  kubectl: Kubectl,
  name: string,
  namespace = 'default',
): Promise<Pipeline | undefined> {
  const object = await kubectl.get('pipeline', name, namespace);
  return object === undefined ? undefined : pipelineSchema.parse(object);
}

export function condition(pipeline: Pipeline | undefined, type: string) {
  return pipeline?.status?.conditions?.find((candidate) => candidate.type === type);
}

/** Waits until a condition has a status (and a reason) for the present generation; says what it is when it takes too long. */
export async function untilCondition(
  kubectl: Kubectl,
  name: string,
  type: string,
  wanted: { status: 'True' | 'False'; reason?: string },
): Promise<Pipeline> {
  return await eventually(async () => {
    const pipeline = await getPipeline(kubectl, name);
    const found = condition(pipeline, type);
    const fits =
      pipeline !== undefined &&
      found?.status === wanted.status &&
      found.observedGeneration === pipeline.metadata.generation &&
      (wanted.reason === undefined || found.reason === wanted.reason);
    if (!fits) throw new Error(`${type} is ${JSON.stringify(found)}; status: ${JSON.stringify(pipeline?.status)}`);
    return pipeline;
  });
}

export async function untilPhase(kubectl: Kubectl, name: string, phase: string): Promise<Pipeline> {
  return await eventually(async () => {
    const pipeline = await getPipeline(kubectl, name);
    if (pipeline?.status?.phase !== phase || pipeline.status.observedGeneration !== pipeline.metadata.generation) {
      throw new Error(`phase is ${pipeline?.status?.phase ?? 'unset'}: ${JSON.stringify(pipeline?.status)}`);
    }
    return pipeline;
  });
}

/** `kubectl patch --type merge` of some fields of the spec. */
export async function patchSpec(kubectl: Kubectl, name: string, spec: object): Promise<void> {
  await kubectl.run(['patch', 'pipeline', name, '-n', 'default', '--type', 'merge', '-p', JSON.stringify({ spec })]);
}

/** Deletes without waiting; {@link untilGone} waits. */
export async function deletePipeline(kubectl: Kubectl, name: string): Promise<void> {
  await kubectl.run(['delete', 'pipeline', name, '-n', 'default', '--wait=false']);
}

export async function untilGone(kubectl: Kubectl, name: string): Promise<void> {
  await eventually(async () => {
    const pipeline = await getPipeline(kubectl, name);
    if (pipeline !== undefined) throw new Error(`still there: ${JSON.stringify(pipeline.status)}`);
  });
}
