/**
 * Sinks that ask a person how to go on (`stream/decisions.ts`), found in what is stored, so also when no pod runs. Until the
 * answer nobody can say that what was read is written: a sink that went back has lost what the commit log says it has.
 *
 * Q1  A question counts until its slot has acted upon the decision. It may stay stored longer: a slot that is to read again
 *     takes it back only where it met the loss, and in an edge that is to go no frame may ever come there.
 */
import { tokenOf } from '../../model/decision.ts';
import { mr, type MillraceError } from '../../model/errors.ts';
import { commitsEdge, edgeStream } from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import { decodeCommitEntry } from '../../stream/commit-entry.ts';
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
  for (const { scope, who, sequence, number } of await openQuestions(streams, pid, '*')) {
    const [stage = '', slot = ''] = who;
    if (!isConcerned(stage)) continue;
    if (await isActedUpon(streams, pid, { scope, stage, slot: Number(slot) }, sequence)) continue;
    const token = tokenOf({ scope, number: number() });
    return mr('MR_DRAIN_ASKS', { stage, slot, pipeline: pipelineText(plan.pipeline), token });
  }
  return undefined;
}

/** Q1, of a question about the edge. Its decision and it are in one stream, and entries name the last decision that counts. */
async function isActedUpon(streams: JetStreamPort, pid: string, asker: Asker, asked: number): Promise<boolean> {
  if (asker.scope === asker.stage) return false;
  const last = await lastCommit(streams, pid, asker.stage, asker.slot);
  if (last === null) return false;
  const { chain } = decodeCommitEntry(last.data, { stream: edgeStream(pid, commitsEdge), sequence: last.seq });
  return chain !== undefined && chain.decided > asked;
}

interface Asker {
  /** Edge or stage that is in question. */
  readonly scope: string;
  readonly stage: string;
  readonly slot: number;
}
