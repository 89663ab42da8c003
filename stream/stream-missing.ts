/** A stream of a pipeline is gone: only a person can say how to go on (model/decision.ts). */
import { tokenOf } from '../model/decision.ts';
import { mr, type MillraceError } from '../model/errors.ts';
import { partsOfStream } from '../model/names.ts';

export function streamMissing(stream: string, cause?: unknown): MillraceError {
  const { pipeline, edge } = partsOfStream(stream) ?? { pipeline: 'NAME', edge: stream };
  return mr('MR_STREAM_MISSING', { stream, pipeline, token: tokenOf({ scope: edge, number: 'lost' }) }, { cause });
}
