/** Makes the entity readable: search attributes, memo and details in Temporal UI; failures in the pipeline's status. */
import { setCurrentDetails, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { reasonOf } from '../model/errors.ts';
import type { StatusPatch } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { words } from './operation.ts';
import { searchAttributesOf } from './search-attributes.ts';
import type { Failure, PipelineState } from './state.ts';

/** One event for the search attributes; one more when the description changes; none for the details. */
export function publish(state: PipelineState): void {
  upsertSearchAttributes(searchAttributesOf(state, phaseOf(state)));
  const description = state.seen?.description ?? '';
  if (description !== '' && workflowInfo().memo?.['description'] !== description) upsertMemo({ description });
  setCurrentDetails(detailsOf(state));
}

export function phaseOf({ running, failure, actual }: PipelineState): string {
  if (running !== null) return words[running.kind].phase;
  if (failure !== null) return 'Failed';
  return actual.is === 'absent' || actual.is === 'unfinished'
    ? 'Pending'
    : actual.is === 'gone'
      ? 'Deleted'
      : actual.is;
}

/** Markdown at the head of the run in Temporal UI. Pure. */
export function detailsOf(state: PipelineState): string {
  const { pipeline, seen, running, failure, history } = state;
  const lines = [
    `**${pipeline.namespace}/${pipeline.name}** is **${phaseOf(state)}**${seen === null ? '' : `: ${seen.description}`}`,
    '',
    ...(running === null
      ? []
      : [`Now: \`${running.kind}\` of generation ${running.generation}, since ${running.startedAt}.`, '']),
    ...(failure === null
      ? []
      : [
          `Failed: \`${failure.code}\`, ${failure.message}`,
          '',
          'It is tried again for a new generation, or by the update `retryNow`.',
          '',
        ]),
    ...(seen === null
      ? []
      : [`- workloads in namespace \`${seen.workloadNamespace}\``, `- streams \`mr-${seen.pid}-*\``]),
    `- uid \`${pipeline.uid}\``,
    ...(history.length === 0 ? [] : ['', 'Last operations:', '']),
    ...history
      .slice(-5)
      .map(
        ({ seq, kind, generation, outcome, endedAt }) => `- ${seq}. \`${kind}\` g${generation}: ${outcome}, ${endedAt}`,
      ),
  ];
  return lines.join('\n');
}

/** The resource says something that cannot be carried out; what ran before goes on running. */
export async function sayRefused(state: PipelineState): Promise<void> {
  const { failure, actual } = state;
  if (failure === null) return;
  const neverRan = actual.is === 'absent';
  await say(state, failure, `refuse generation ${failure.generation}`, {
    ...(neverRan ? { phase: 'Failed' } : {}),
    observedGeneration: failure.generation,
    conditions: [
      ...stalled(failure),
      { type: 'Accepted', status: 'False', reason: reasonOf(failure.code), message: failure.message },
      ...(neverRan
        ? [
            {
              type: 'Provisioned',
              status: 'False',
              reason: reasonOf(failure.code),
              message: failure.message,
            } as const,
          ]
        : []),
    ],
  });
}

/** An operation ended without having done its work. */
export async function sayFailed(state: PipelineState, failure: Failure): Promise<void> {
  const isTeardown = failure.operation === 'teardown';
  await say(state, failure, `say that ${failure.operation} failed (g${failure.generation})`, {
    phase: isTeardown ? 'Deleting' : 'Failed',
    observedGeneration: failure.generation,
    operation: null,
    conditions: [
      ...stalled(failure),
      { type: 'Provisioned', status: 'False', reason: reasonOf(failure.code), message: failure.message },
    ],
  });
}

function stalled(failure: Failure) {
  const reason = reasonOf(failure.code);
  return [
    { type: 'Reconciling', status: 'False', reason, message: failure.message },
    { type: 'Stalled', status: 'True', reason, message: failure.message },
  ] as const;
}

async function say(state: PipelineState, failure: Failure, summary: string, patch: StatusPatch): Promise<void> {
  const { workflowId, runId } = workflowInfo();
  await run('writeStatus', summary, {
    pipeline: state.pipeline,
    opSeq: state.lastSeq,
    generation: failure.generation,
    patch: { ...patch, workflow: { id: workflowId, runId } },
    event: { type: 'Warning', reason: reasonOf(failure.code), action: failure.operation, note: failure.message },
  });
}
