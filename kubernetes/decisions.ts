/**
 * Writes a person's decision (`model/decision.ts`) to the resource. The command and the API both use this, so they
 * refuse the same decisions in the same words.
 *
 * D1  A decision is refused when nothing in the pipeline's status asks for it, and while an earlier one is pending:
 *     there is one annotation, and the earlier decision would be overwritten.
 * D2  The same decision with the same note counts once, however often it is sent.
 */
import { decisionText, isAsked, parseDecision, type DecisionChoice } from '../model/decision.ts';
import { mr } from '../model/errors.ts';
import { annotations } from '../model/names.ts';
import type { PipelineDoor, StoredPipeline } from './pipelines.ts';

export interface Deciding {
  /** From the message that asks for the decision: `records.1`. */
  readonly token: string;
  readonly choice: DecisionChoice;
  /** Distinguishes it from the same decision about an earlier loss. */
  readonly note: string;
}

/** Resolves with its text, which identifies its outcome. Throws MR_DECISION_REFUSED. */
export async function decideOn(pipelines: PipelineDoor, found: StoredPipeline, deciding: Deciding): Promise<string> {
  const { token, choice, note } = deciding;
  const refuse = (problem: string) => mr('MR_DECISION_REFUSED', { decision: `${token}=${choice}`, problem });
  const { name, namespace = 'default' } = found.metadata;
  const decision = parseDecision(`${token}=${choice}`);
  if (decision === undefined) throw refuse(`"${token}" is not a token, such as records.1`);
  const text = decisionText(decision, note);
  const earlier = found.metadata.annotations?.[annotations.decision];
  if (earlier === text) return text;
  if (!isAsked(found.status ?? {}, token)) throw refuse(`nothing in the status of pipeline ${name} asks for it`);
  if (earlier !== undefined && earlier !== found.status?.decision?.text) {
    throw refuse(
      `decision "${earlier}" was not looked at yet; \`millrace describe ${name} -n ${namespace}\` says when it was`,
    );
  }
  await pipelines.decide(found, text);
  return text;
}
