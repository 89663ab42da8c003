import type { StreamStatus } from '../../model/status.ts';

/** A stream that was made for a pipeline, and is not there. */
export interface LostStream extends StreamStatus {
  /** When the stream was made that is there in its place. */
  readonly found: string | undefined;
}
