/** Makes the entity readable: search attributes, memo and details in Temporal UI; failures in the pipeline's status. */
import { setCurrentDetails, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { reasonOf } from '../model/errors.ts';
import type { StatusPatch } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { refusesSpec } from './failure.ts';
import { phaseOf, shownStateOf } from './phase.ts';
import { searchAttributesOf } from './search-attributes.ts';
import type { Failure, PipelineState, Refusal } from './state.ts';

/** One event for the search attributes; one more when the description changes; none for the details. */
export function publish(state: PipelineState): void {
  upsertSearchAttributes(searchAttributesOf(state, phaseOf(state), shownStateOf(state)));
  const description = state.seen?.description ?? '';
  if (description !== '' && workflowInfo().memo?.['description'] !== description) upsertMemo({ description });
  setCurrentDetails(detailsOf(state));
}

/** Markdown at the head of the run in Temporal UI. Pure. */
function detailsOf(state: PipelineState): string {
  const { pipeline, seen, running, failure, refused, acceptedGeneration, history, readiness } = state;
  const again = 'It is tried again for a new generation, or by `millrace retry` (the update `retryNow`).';
  const lines = [
    `**${pipeline.namespace}/${pipeline.name}** is **${phaseOf(state)}**${seen === null ? '' : `: ${seen.description}`}`,
    '',
    ...(running === null
      ? []
      : [`Now: \`${running.kind}\` of generation ${running.generation}, since ${running.startedAt}.`, '']),
    ...(phaseOf(state) === 'NotReady' && readiness !== undefined
      ? [`Not ready since ${readiness.since}: \`${readiness.reason}\`, ${readiness.message}`, '']
      : []),
    ...(refused === null
      ? []
      : [
          `Generation ${refused.generation} is refused: \`${refused.code}\`, ${refused.message}`,
          '',
          ...(acceptedGeneration === 0 ? [] : [`Generation ${acceptedGeneration} stays in force.`, '']),
        ]),
    ...(failure === null
      ? []
      : [`\`${failure.operation}\` failed: \`${failure.code}\`, ${failure.message}`, '', again, '']),
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

/** Reports that the spec is refused; what ran before continues. */
export async function sayRefused(state: PipelineState): Promise<void> {
  const { refused, running, acceptedGeneration, actual } = state;
  if (refused === null) return;
  const reason = reasonOf(refused.code);
  const neverRan = actual.is === 'absent';
  const message =
    acceptedGeneration === 0 || neverRan
      ? refused.message
      : `${refused.message} Generation ${acceptedGeneration} stays in force.`;
  const no = { status: 'False', reason, message } as const;
  await say(state, { ...refused, operation: 'read' }, `refuse generation ${refused.generation}`, {
    ...phaseNow(state),
    observedGeneration: refused.generation,
    conditions: [
      // While an operation runs, it writes these two.
      ...(running === null ? stalled({ ...refused, message }) : []),
      { type: 'Accepted', ...no },
      ...(neverRan ? [{ type: 'Provisioned', ...no } as const] : []),
    ],
  });
}

/**
 * W1. Left out while an operation runs, which writes the phase, and when the pipeline is gone; a paused or stopped
 * pipeline keeps its phase. NotReady is written by the controller, together with the condition Ready, so that the two
 * agree.
 */
function phaseNow(state: PipelineState): Pick<StatusPatch, 'phase'> {
  const phase = phaseOf(state);
  const isKept = state.running !== null || phase === 'Paused' || phase === 'Stopped' || phase === 'NotReady';
  return isKept || phase === 'Deleted' ? {} : { phase };
}

/** Reports that an operation ended without success. */
export async function sayFailed(state: PipelineState, failure: Failure): Promise<void> {
  const why = { reason: reasonOf(failure.code), message: failure.message };
  await say(state, failure, `say that ${failure.operation} failed (g${failure.generation})`, {
    ...phaseNow(state),
    observedGeneration: failure.generation,
    operation: null,
    conditions: [
      ...stalled(failure),
      ...(refusesSpec(failure.code, failure.operation) ? [{ type: 'Accepted', status: 'False', ...why } as const] : []),
      { type: 'Provisioned', status: 'False', ...why },
    ],
  });
}

function stalled({ code, message }: Pick<Failure | Refusal, 'code' | 'message'>) {
  const reason = reasonOf(code);
  return [
    { type: 'Reconciling', status: 'False', reason, message },
    { type: 'Stalled', status: 'True', reason, message },
  ] as const;
}

type Said = Pick<Failure, 'generation' | 'code' | 'message'> & { readonly operation: Failure['operation'] | 'read' };

async function say(state: PipelineState, failure: Said, summary: string, patch: StatusPatch): Promise<void> {
  const { workflowId, runId } = workflowInfo();
  await run('writeStatus', summary, {
    pipeline: state.pipeline,
    opSeq: state.lastSeq,
    generation: failure.generation,
    patch: { ...patch, workflow: { id: workflowId, runId } },
    event: { type: 'Warning', reason: reasonOf(failure.code), action: failure.operation, note: failure.message },
  });
}
