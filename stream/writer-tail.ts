/**
 * Whether a writer's last frame is the last that it has appended, as far as the readers of the edge can tell.
 *
 * I6  What a reader has taken was there. When it is no longer, the stream has gone back, and the source was told that it
 *     was stored: the writer does not go on by itself, neither from an earlier frame nor from the start.
 */
import { mr } from '../model/errors.ts';
import { commitsEdge, commitSubject, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { decodeCommitEntry } from './commit-entry.ts';
import { awaitDecision } from './decisions.ts';
import { pipelineText, type EdgeView } from './edge-opening.ts';
import type { EdgeWriter } from './edge-writer.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface TailCheck extends Asking {
  readonly pipeline: Plan['pipeline'];
  readonly edge: string;
  readonly shard: number;
  readonly view: EdgeView;
}

/** Resolves when the tail is what it should be, or a person has decided to go on from what is there. */
export async function checkTail(check: TailCheck, tail: EdgeWriter, signal: AbortSignal): Promise<void> {
  const { pipeline, edge, onWaiting } = check;
  const ask = () => problemOf(check, tail);
  const problem = await untilAnswered(edgeStream(pipeline.pid, commitsEdge), ask, check, signal);
  if (problem === undefined) return;
  const { after, found } = problem;
  const say = (token: string) =>
    onWaiting(
      mr('MR_POSITION_LOST', {
        who: `Writer ${tail.writer}`,
        position: tail.sequence,
        stream: edgeStream(pipeline.pid, edge),
        found,
        pipeline: pipelineText(pipeline),
        token,
        // Where it was in its source it has lost with its frames, so there is no more to choose.
        accepted: 'reads the source again from there, and what sinks have taken since then may be written twice',
        reread: 'does the same, and lets sinks that ask under this token read all that the stream still holds',
      }),
    );
  const { streams, clock, random } = check;
  const question = { streams, pid: pipeline.pid, scope: edge, who: tail.writer, found, after };
  await awaitDecision(question, { ask: say, clock, random }, signal);
  onWaiting(undefined);
}

async function problemOf(
  check: TailCheck,
  tail: EdgeWriter,
): Promise<{ readonly after: number; readonly found: string } | undefined> {
  const { streams, pipeline, shard, view } = check;
  const stream = edgeStream(pipeline.pid, commitsEdge);
  for (const last of await streams.lastOfEach(stream, commitSubject(pipeline.pid, '*', shard))) {
    const { chain } = decodeCommitEntry(last.data, { stream, sequence: last.seq });
    const taken = chain?.edge === view.created ? chain.writers[tail.writer] : undefined;
    if (taken === undefined) continue;
    const [sequence, frameCheck] = taken;
    if (sequence > tail.sequence) {
      return { after: sequence, found: `${last.subject} has taken its frame ${sequence}, which is gone` };
    }
    if (sequence === tail.sequence && frameCheck !== null && frameCheck !== tail.check) {
      return { after: sequence, found: `${last.subject} has taken another frame of that number` };
    }
  }
  // Each writer has a first frame before it is registered.
  if (tail.sequence === 0) return { after: 0, found: 'all its frames are gone' };
  return undefined;
}
