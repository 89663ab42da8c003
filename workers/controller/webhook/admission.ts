/** One question of the API server, from its text to its answer. */
import type { Clock } from '../../../model/clock.ts';
import type { ClusterLook } from './cluster-look.ts';
import { isToBeJudged, judge } from './judge.ts';
import { answerTo, type AdmissionRequest, type Verdict } from './review.ts';

/** What became of a question: a label of the metrics. */
export type Outcome = 'passed' | 'allowed' | 'warned' | 'refused';

export interface Admitted {
  readonly outcome: Outcome;
  readonly review: object;
}

export interface AdmissionParts {
  readonly look: Pick<ClusterLook, 'look'>;
  readonly clock: Pick<Clock, 'after'>;
}

const nothing: Verdict = { problems: [], warnings: [] };

/** `withinMs`: for looking at the cluster; a question that is not answered in time is refused by the API server. */
export async function admit(
  { look, clock }: AdmissionParts,
  request: AdmissionRequest,
  withinMs: number,
): Promise<Admitted> {
  if (!isToBeJudged(request)) return { outcome: 'passed', review: answerTo(request, nothing) };
  const judged = judge(request);
  const seen = judged.problems.length > 0 ? nothing : await within(clock, withinMs, look.look(request, judged));
  const verdict = {
    problems: [...judged.problems, ...seen.problems],
    warnings: [...judged.warnings, ...seen.warnings],
  };
  return { outcome: outcomeOf(verdict), review: answerTo(request, verdict) };
}

function outcomeOf({ problems, warnings }: Verdict): Outcome {
  if (problems.length > 0) return 'refused';
  return warnings.length > 0 ? 'warned' : 'allowed';
}

/** L2 of `./cluster-look.ts`. */
async function within(clock: Pick<Clock, 'after'>, ms: number, asked: Promise<Verdict>): Promise<Verdict> {
  const late = Promise.withResolvers<Verdict>();
  const cancel = clock.after(ms, () => late.resolve(nothing));
  try {
    return await Promise.race([asked, late.promise]);
  } finally {
    cancel();
  }
}
