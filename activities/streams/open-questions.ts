/**
 * Sinks that ask a person how to go on (`stream/decisions.ts`), found in what is stored, so also when no pod runs. Until the
 * answer nobody can say that what was read is written: a sink that went back has lost what the commit log says it has.
 *
 * Q1  A question counts while its slot's log ends where it ended when the slot asked: whoever acts upon a decision, or goes
 *     on without one, writes an entry. It may stay stored longer. A slot that is to read again takes it back only where it
 *     met the loss; and a former owner that was frozen may ask once more after another has acted (seed sinks:4142).
 */
import { tokenOf } from '../../model/decision.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import type { Plan } from '../../model/plan.ts';
import { openQuestions } from '../../stream/decisions.ts';
import { lastCommit } from '../../stream/last-commit.ts';
import { pipelineText } from '../../stream/edge-opening.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';

/** MR_DRAIN_ASKS for the first one; undefined: none of these stages asks. */
export async function askedBy(
  streams: JetStreamPort,
  plan: Plan,
  isConcerned: (stage: string) => boolean,
): Promise<MillraceError | undefined> {
  const { pid } = plan.pipeline;
  for (const { scope, who, read } of await openQuestions(streams, pid, '*')) {
    const [stage = '', slot = ''] = who;
    if (!isConcerned(stage)) continue;
    const { number, after } = read();
    // Q1.
    const last = await lastCommit(streams, pid, stage, Number(slot));
    if (last !== null && last.seq > after) continue;
    const token = tokenOf({ scope, number });
    return mr('MR_DRAIN_ASKS', { stage, slot, pipeline: pipelineText(plan.pipeline), token });
  }
  return undefined;
}
