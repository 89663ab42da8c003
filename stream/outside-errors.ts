/** Failures of what is outside: those of the error table as they are, any other as one that is waited for. */
import { MillraceError, mr, problemOf } from '../model/errors.ts';

export function asSourceError(source: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return mr('MR_SOURCE_UNREACHABLE', { source, server: 'the source', problem: problemOf(error) }, { cause: error });
}

export function asSinkError(sink: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return mr('MR_SINK_UNREACHABLE', { sink, server: 'the sink', problem: problemOf(error) }, { cause: error });
}
