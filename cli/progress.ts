/**
 * What `--wait` prints: one line for each change that matters to a person. Pure: two looks at the resource in, lines
 * out.
 */
import type { Condition, PipelineStatus } from '../crds/pipeline.ts';

export function changes(before: PipelineStatus | undefined, after: PipelineStatus | undefined): string[] {
  return [...operationChanges(before, after), ...conditionChanges(before, after)];
}

function operationChanges(before: PipelineStatus | undefined, after: PipelineStatus | undefined): string[] {
  const was = before?.operation;
  const is = after?.operation;
  if (!is) return [];
  const lines: string[] = [];
  const sameStep = was?.id === is.id && was.step === is.step;
  if (!sameStep) lines.push(`${is.type}: ${is.step}`);
  if (is.lastError !== undefined && !(sameStep && isSameError(was.lastError, is.lastError))) {
    const attempt = is.attempt === undefined ? '' : ` (attempt ${is.attempt})`;
    lines.push(`${is.type}: ${is.step} failed${attempt}: ${is.lastError}`);
  }
  return lines;
}

/** Numbers, such as how much is left, change from look to look. */
function isSameError(was: string | undefined, is: string): boolean {
  return was?.replaceAll(/\d+/g, '') === is.replaceAll(/\d+/g, '');
}

/** Without Reconciling, which repeats the lines of the operation, and without Unknown. */
function conditionChanges(before: PipelineStatus | undefined, after: PipelineStatus | undefined): string[] {
  return (after?.conditions ?? [])
    .filter((condition) => condition.type !== 'Reconciling' && condition.status !== 'Unknown')
    .filter((condition) => !saysTheSame(before, condition))
    .filter((condition) => condition.type !== 'Stalled' || condition.status === 'True' || wasStalled(before))
    .map((condition) => `${condition.type} is ${condition.status} (${condition.reason}): ${condition.message}`);
}

function saysTheSame(before: PipelineStatus | undefined, now: Condition): boolean {
  const was = before?.conditions?.find((condition) => condition.type === now.type);
  return was?.status === now.status && was.reason === now.reason;
}

function wasStalled(before: PipelineStatus | undefined): boolean {
  return before?.conditions?.some((condition) => condition.type === 'Stalled' && condition.status === 'True') ?? false;
}
