/**
 * Checks, by what the readers of the edge have read, that a writer's last frame is the last one that it appended.
 *
 * I6  A frame that a reader has read was stored. If it is missing, the stream was rolled back after the source had been
 *     told that the frame was stored: the writer does not continue on its own, neither from an earlier frame nor from
 *     the start.
 */
import { mr } from '../model/errors.ts';
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { decodeCommitEntry } from './commit-entry.ts';
import { awaitDecision, storedQuestion, takeBack, type StoredQuestion } from './decisions.ts';
import { pipelineText, type EdgeView } from './edge-opening.ts';
import type { EdgeWriter } from './edge-writer.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface TailCheck extends Asking {
  readonly pipeline: Plan['pipeline'];
  readonly edge: string;
  readonly shard: number;
  readonly view: EdgeView;
}

/** Resolves when the tail is right, or when a person has decided to continue from it as it is. */
export async function checkTail(check: TailCheck, tail: EdgeWriter, signal: AbortSignal): Promise<void> {
  const { streams, pipeline, edge, onWaiting } = check;
  const commits = edgeStream(pipeline.pid, commitsEdge);
  const asker = { streams, pid: pipeline.pid, scope: edge, who: tail.writer };
  const asked = await untilAnswered(commits, () => storedQuestion(asker), check, signal);
  const problem = await untilAnswered(commits, () => problemOf(check, tail), check, signal);
  const takenBack = (question: Pick<StoredQuestion, 'sequence'>) =>
    untilAnswered(commits, () => takeBack(asker, question), check, signal);
  if (problem === undefined) {
    if (asked !== undefined) await takenBack(asked);
    return;
  }
  const { after, found, loss } = problem;
  const say = (token: string) =>
    onWaiting(
      mr('MR_POSITION_LOST', {
        who: `Writer ${tail.writer}`,
        position: tail.sequence,
        stream: edgeStream(pipeline.pid, edge),
        found,
        pipeline: pipelineText(pipeline),
        token,
        // Its position in the source was lost with its frames, so there is nothing left to choose.
        accepted: `${againFrom(tail)}; what sinks had taken of it after that is written twice`,
        reread: 'does the same, and lets sinks that ask under this token read all that the stream still holds',
      }),
    );
  const answer = await awaitDecision({ ...asker, loss, after }, { ...check, ask: say }, signal);
  // If all frames of the writer were lost once more, nothing else would show that this decision was used.
  if (after === 0 && answer !== undefined) await takenBack({ sequence: answer.decision.sequence });
  onWaiting(undefined);
}

/** Positions are stored in frames and nowhere else (E2). */
function againFrom({ openedAt }: EdgeWriter): string {
  return openedAt === undefined
    ? 'reads the source again from its beginning (`startFrom`), because no frame is left that says where it stood'
    : 'reads the source again from where it stood in the last frame that is left';
}

async function problemOf(check: TailCheck, tail: EdgeWriter): Promise<LostBehind | undefined> {
  const { streams, pipeline, shard, view } = check;
  const lost = await lostBehind(streams, { pid: pipeline.pid, shard, created: view.created }, tail);
  // A registered writer has a first frame (M2 of `./register-writers.ts`).
  const hasNone = { after: 0, loss: 'all', found: 'all its frames are gone' };
  const problem = lost ?? (tail.sequence === 0 ? hasNone : undefined);
  if (problem !== undefined) await assertLast(streams, tail);
  return problem;
}

/**
 * Throws MR_OWNERSHIP_LOST when somebody has appended since the tail was read: a reader may have read that frame, or the
 * source was taken off and put back meanwhile, so the slot starts again behind it. No person is asked.
 */
async function assertLast(streams: JetStreamPort, { stream, subject, sequence }: EdgeWriter): Promise<void> {
  const last = await streams.getMessage(stream, { last_by_subj: subject });
  if (last !== null && last.seq > sequence) throw mr('MR_OWNERSHIP_LOST', { writer: subject, expected: sequence });
}

interface LostBehind {
  /** The newest of its frames that a reader has read. */
  readonly after: number;
  readonly found: string;
  /**
   * With the frame's checksum: another frame of that number is another loss. Seed sinks:1034: it was not asked about,
   * because a person had decided about one that was lost under the same number before.
   */
  readonly loss: string;
}

/**
 * The newest frame of the writer that a reader of the shard has read and that is missing. The reader that is furthest on
 * counts, so that it is the same loss whoever is asked first. `created`: creation time of the edge's stream.
 */
export async function lostBehind(
  streams: JetStreamPort,
  { pid, shard, created }: { readonly pid: string; readonly shard: number; readonly created: string },
  tail: Pick<EdgeWriter, 'writer' | 'sequence' | 'check'>,
): Promise<LostBehind | undefined> {
  const stream = edgeStream(pid, commitsEdge);
  let lost: LostBehind | undefined;
  for (const last of await streams.lastOfEach(stream, commitSubject(pid, '*', shard))) {
    const entry = decodeCommitEntry(last.data, { stream, sequence: last.seq });
    // It has read nothing yet: what is missing before its place was not for it, and it asks by itself.
    if (entry.kind === 'commit' && entry.registered === true) continue;
    const taken = entry.chain?.edge === created ? entry.chain.writers[tail.writer] : undefined;
    if (taken === undefined) continue;
    const [sequence, frameCheck] = taken;
    if (sequence <= (lost?.after ?? 0)) continue;
    const loss = `frame ${sequence} that was taken, ${frameCheck}`;
    if (sequence > tail.sequence) {
      lost = { after: sequence, loss, found: `${last.subject} has taken its frame ${sequence}, which is gone` };
    } else if (sequence === tail.sequence && frameCheck !== null && frameCheck !== tail.check) {
      lost = { after: sequence, loss, found: `${last.subject} has taken another frame of that number` };
    }
  }
  return lost;
}
