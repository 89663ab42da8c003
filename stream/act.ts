/** What every act of the lifecycle in the streams of a pipeline needs. */
import type { Clock } from '../model/clock.ts';
import type { JetStreamPort } from './jetstream-port.ts';

export interface Act {
  readonly streams: JetStreamPort;
  /** Sequence of the operation. */
  readonly opSeq: number;
  readonly clock: Pick<Clock, 'now'>;
  /** What has compiled the plan: another may compile the same spec differently. */
  readonly release?: string | undefined;
}
