/** Failures of external systems: an error of the table is kept; any other becomes one that is retried. */
import { MillraceError, mr, problemOf } from '../model/errors.ts';

export function asSourceError(source: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return mr('MR_SOURCE_UNREACHABLE', { source, server: 'the source', problem: problemOf(error) }, { cause: error });
}

export function asSinkError(sink: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return mr('MR_SINK_UNREACHABLE', { sink, server: 'the sink', problem: problemOf(error) }, { cause: error });
}
