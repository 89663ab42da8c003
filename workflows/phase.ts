/**
 * The phase of a pipeline, and the reason for it: what the entity shows in Temporal and writes into the status.
 *
 * W1  The first row that holds gives the phase. So Temporal and `status.phase` agree, except for Deleted, which no
 *     resource can have.
 * W2  When the phase is a problem, the state shown is its reason, as in the column STATE of `kubectl get`.
 */
import { reasonOf } from '../model/errors.ts';
import { operationTable } from '../model/operations.ts';
import type { Phase } from '../model/status.ts';
import type { PipelineState } from './state.ts';

export type ShownPhase = Phase | 'Deleted';

interface Row {
  /** For the documents. */
  readonly when: string;
  readonly holds: (state: PipelineState) => boolean;
  readonly phase: ShownPhase | ((state: PipelineState) => ShownPhase);
  /** W2. Undefined: the phase says enough. */
  readonly why?: (state: PipelineState) => string | undefined;
}

const failed = ({ failure }: PipelineState) => (failure === null ? undefined : reasonOf(failure.code));
const refusedBy = ({ refused }: PipelineState) => (refused === null ? undefined : reasonOf(refused.code));
const isThere = ({ actual }: PipelineState) =>
  actual.is === 'Running' || actual.is === 'Paused' || actual.is === 'Stopped';

export const phaseTable: readonly Row[] = [
  {
    when: 'an operation runs',
    holds: ({ running }) => running !== null,
    phase: ({ running }) => (running === null ? 'Pending' : operationTable[running.kind].phase),
  },
  { when: 'it is taken down', holds: ({ actual }) => actual.is === 'gone', phase: 'Deleted' },
  {
    when: 'taking it down has failed',
    holds: ({ failure }) => failure?.operation === 'teardown',
    phase: 'Deleting',
    why: failed,
  },
  { when: 'an operation has failed', holds: ({ failure }) => failure !== null, phase: 'Failed', why: failed },
  {
    when: 'its spec is refused, and nothing is in force',
    holds: (state) => state.refused !== null && !isThere(state),
    phase: 'Failed',
    why: refusedBy,
  },
  {
    when: 'its spec is refused, and what was accepted before runs',
    holds: ({ refused, actual }) => refused !== null && actual.is === 'Running',
    phase: 'NotReady',
    why: refusedBy,
  },
  {
    when: 'it runs, and has not been Ready for half a minute',
    holds: ({ actual, readiness }) => actual.is === 'Running' && readiness?.isReady === false,
    phase: 'NotReady',
    why: ({ readiness }) => readiness?.reason,
  },
  { when: 'it runs', holds: ({ actual }) => actual.is === 'Running', phase: 'Running' },
  { when: 'it is paused', holds: ({ actual }) => actual.is === 'Paused', phase: 'Paused', why: refusedBy },
  { when: 'it is stopped', holds: ({ actual }) => actual.is === 'Stopped', phase: 'Stopped', why: refusedBy },
  { when: 'nothing was done yet', holds: () => true, phase: 'Pending' },
];

export function phaseOf(state: PipelineState): ShownPhase {
  const { phase } = rowOf(state);
  return typeof phase === 'string' ? phase : phase(state);
}

/** W2. */
export function shownStateOf(state: PipelineState): string {
  return rowOf(state).why?.(state) ?? phaseOf(state);
}

function rowOf(state: PipelineState): Row {
  const row = phaseTable.find(({ holds }) => holds(state));
  if (row === undefined) throw new TypeError('the last row of the table of phases holds always');
  return row;
}
