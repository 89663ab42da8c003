/**
 * The package's client: `import { Millrace } from 'millrace'`.
 *
 * Pipelines are read and written by the REST API; `workflows` starts the same changes as Temporal workflows, which
 * survive this process. Both land on the same resource and the same entity workflow.
 */
export { Millrace, type ConnectOptions } from './millrace.ts';
export { definePipeline, type PipelineDefinition, type SpecInput } from './define.ts';
export { MillraceProblem } from './problem.ts';
export { NotSettled, type ListQuery, type Pipelines, type WaitOptions } from './pipelines.ts';
export type { PipelineWorkflows, WorkflowOptions } from './workflows.ts';
export type { Change, Decided, Decision, LintReport, Operation, Problem, StoredPipeline } from './wire.ts';
export type { AppliedPipeline } from '../model/lifecycle.ts';
export type { Condition, PipelineSpec, PipelineStatus } from '../crds/pipeline.ts';
