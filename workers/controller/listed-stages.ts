import { isUnderWay, type PipelineStatus, type StageStatus } from '../../model/status.ts';

/**
 * The stages in the status that are the pipeline's. The lifecycle owns the list and the wanted pods, the controller the
 * number of ready ones: what the lifecycle has taken out stays, wanted by default with no pods, until the controller
 * writes next. Where no operation is at work, a pipeline that should move records wants a pod of each of its stages.
 */
export function listedStages({ phase, operation, stages = [] }: PipelineStatus): readonly StageStatus[] {
  return isUnderWay(phase) && operation === undefined ? stages.filter(({ replicas }) => replicas > 0) : stages;
}

/** Something in the list is not the pipeline's any more. */
export function hasLeftover(status: PipelineStatus): boolean {
  return listedStages(status).length < (status.stages?.length ?? 0);
}
