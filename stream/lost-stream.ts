/** A stream that was made for a pipeline is gone, or another one is in its place: only a person can say how to go on. */
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
export function isOfEdge(pid: string, stream: string): boolean {
  return stream !== edgeStream(pid, commitsEdge) && stream !== edgeStream(pid, deadEdge);
}
