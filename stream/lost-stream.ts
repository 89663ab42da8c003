/**
 * A stream of a pipeline is missing, or somebody has recreated it: only a person can say how to continue.
 *
 * W1  This module alone says which streams are lost, so the lifecycle (which never recreates one), the controller (which
 *     shows it) and the decision (which recreates it) agree. Commits and dead letters that somebody has recreated are
 *     as lost as an edge: the participants and the refused records were in the old stream.
 * W2  The commits stream comes first. Decisions about the others are stored in it, and the decision about it recreates
 *     all that are missing (`./carry-out.ts`).
 */
import type { MillraceError } from '../model/errors.ts';
import { commitsEdge, deadEdge, edgeStream } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import type { StreamStatus } from '../model/status.ts';
import { edgeLost, pipelineText } from './edge-opening.ts';
import { streamMissing } from './stream-missing.ts';

export interface LostStream extends StreamStatus {
  /** Creation time of the stream that has taken its place. */
  readonly found: string | undefined;
}

/** W1. `created`: creation time of the stream that exists now. */
export function isLost(known: StreamStatus, created: string | undefined): boolean {
  return created !== known.created;
}

/** The first lost one of these streams (W2). Pure. */
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

/** The error that names the loss and the token under which a person decides. */
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

/** True: an edge; false: commits or dead letters. */
function isOfEdge(pid: string, stream: string): boolean {
  return stream !== edgeStream(pid, commitsEdge) && stream !== edgeStream(pid, deadEdge);
}
