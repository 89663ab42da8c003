/**
 * A stream that was made for a pipeline is gone, or another one is in its place: only a person can say how to go on.
 *
 * W1  What is lost is said here and nowhere else: the lifecycle, which makes no such stream again, the controller, which
 *     shows it, and the decision, which does, agree. Commits and dead letters that somebody made again are as lost as an
 *     edge: who takes part, and what was refused, was in the one before.
 * W2  The stream of the commits comes first. Decisions about the others are noted in it, and the one about it makes all
 *     that are gone again (`./decide.ts`).
 */
import type { MillraceError } from '../model/errors.ts';
import { commitsEdge, deadEdge, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import type { StreamStatus } from '../model/status.ts';
import { edgeLost, pipelineText } from './edge-opening.ts';
import { streamMissing } from './stream-missing.ts';

export interface LostStream extends StreamStatus {
  /** When the stream was made that is there in its place. */
  readonly found: string | undefined;
}

/** W1. `created`: of the stream that is there now. */
export function isLost(known: StreamStatus, created: string | undefined): boolean {
  return created !== known.created;
}

/** Of the streams that were made, the first that is lost (W2). Pure. */
export function firstLost(
  pid: string,
  known: readonly StreamStatus[],
  found: readonly StreamStatus[],
): LostStream | undefined {
  const commits = edgeStream(pid, commitsEdge);
  const createdOf = ({ name }: StreamStatus) => found.find((one) => one.name === name)?.created;
  const lost = known.filter((one) => isLost(one, createdOf(one)));
  const first = lost.find(({ name }) => name === commits) ?? lost[0];
  return first && { ...first, found: createdOf(first) };
}

/** What is said of it, with the token under which a person decides. */
export function lostStream(
  pipeline: Pick<Plan['pipeline'], 'name' | 'namespace' | 'pid'>,
  { name, created, found }: LostStream,
): MillraceError {
  if (isOfEdge(pipeline.pid, name)) {
    const edge = name.slice(edgeStream(pipeline.pid, '').length);
    return edgeLost({ pipeline, edge, registered: created, found });
  }
  return streamMissing(name, { pipeline: pipelineText(pipeline), ...(found === undefined ? {} : { other: found }) });
}

/** Of records, not of commits or dead letters. */
function isOfEdge(pid: string, stream: string): boolean {
  return stream !== edgeStream(pid, commitsEdge) && stream !== edgeStream(pid, deadEdge);
}
