/** Everything that the lifecycle worker runs: the workflow types by their names. */
export { pipelineLifecycle } from './entity.ts';
export { pause, provision, reconfigure, repair, resume, stop, teardown } from './operations.ts';
export { applyPipeline, deletePipeline } from './programmatic.ts';
export * from './door.ts';
