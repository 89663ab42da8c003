/** A stream of a pipeline is gone: only a person can decide how to continue (model/decision.ts). */
import { tokenOf } from '../model/decision.ts';
import { mr, type MillraceError } from '../model/errors.ts';
import { partsOfStream } from '../model/names.ts';

/**
 * `pipeline`: as the command takes it; code that knows only the stream does not know the namespace. `other`: when the
 * existing stream of that name was created, if there is one.
 */
export function streamMissing(
  stream: string,
  { pipeline, other, cause }: { readonly pipeline?: string; readonly other?: string; readonly cause?: unknown } = {},
): MillraceError {
  const parts = partsOfStream(stream) ?? { pipeline: 'NAME', edge: stream };
  const named = pipeline ?? `${parts.pipeline} -n NAMESPACE`;
  const token = tokenOf({ scope: parts.edge, number: 'lost' });
  const found = other === undefined ? 'is gone' : `the one that is there was made at ${other}`;
  return mr('MR_STREAM_MISSING', { stream, pipeline: named, found, token }, { cause });
}
