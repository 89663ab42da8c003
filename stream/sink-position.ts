/**
 * Where a sink that keeps its own position left off, checked against the commit log.
 *
 * K6  Its position is believed when it belongs to this edge stream (its token says so) and is not behind the log. Behind,
 *     it has lost rows that were committed (a failover to a replica that lagged, a backup that was restored), and what
 *     the log calls committed may have been swept: nothing goes on by itself. The slot waits, and looks again each time,
 *     so that a person may as well mend the position in the sink.
 */
import { assertNever, mr, type MillraceError } from '../model/errors.ts';
import { backoffMs, outsideBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Intent, Written } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import { asSinkError } from './outside-errors.ts';
import type { PositionedSinkSlot, RowBufferPort, StoredPosition } from './sink-port.ts';
import type { SlotObserver, SlotSignals } from './slot-observer.ts';

export interface PositionCheck<Rows extends RowBufferPort> {
  readonly sink: string;
  readonly slot: number;
  readonly sinkSlot: PositionedSinkSlot<Rows>;
  readonly tokenPrefix: string;
  readonly log: Pick<CommitLog, 'last' | 'committed' | 'place'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  readonly signals: SlotSignals;
}

export interface Recovered {
  readonly committed: number;
  /** The batch to finish first. */
  readonly finish: Intent | Written | undefined;
}

/** Waits for the sink, and for a person's decision when there must be one. */
export async function recoverPosition<Rows extends RowBufferPort>(check: PositionCheck<Rows>): Promise<Recovered> {
  const { sinkSlot, observer, clock, random, signals } = check;
  for (let failures = 0; ; failures++) {
    try {
      const found = judge(check, await sinkSlot.storedPosition(signals.abort));
      const recovered =
        found.kind === 'lost'
          ? await decided(check, found)
          : found.kind === 'placed'
            ? await follow(check, found)
            : found;
      if (recovered.kind === 'recovered') {
        if (failures > 0) observer.connection(undefined);
        return recovered;
      }
      observer.connection(recovered.error);
    } catch (error) {
      signals.abort.throwIfAborted();
      observer.connection(asSinkError(check.sink, error));
    }
    await clock.sleep(backoffMs(outsideBackoff, failures, random), AbortSignal.any([signals.stop, signals.abort]));
  }
}

type Believed = { readonly kind: 'recovered' } & Recovered;
interface Lost {
  readonly kind: 'lost';
  readonly stored: StoredPosition;
  readonly isOfOtherStream: boolean;
  readonly error: MillraceError;
}

/** The log was put where it is by registration or by a decision about the edge, and the sink has yet to follow. */
interface Placed {
  readonly kind: 'placed';
  readonly stored: StoredPosition;
}

/** Pure. */
export function judge<Rows extends RowBufferPort>(
  { log, tokenPrefix, sink, slot }: Pick<PositionCheck<Rows>, 'log' | 'tokenPrefix' | 'sink' | 'slot'>,
  stored: StoredPosition,
): Believed | Lost | Placed {
  const { last, committed } = log;
  if (last?.kind === 'commit' && last.set === true) return { kind: 'placed', stored };
  const isOfOtherStream = stored.token !== '' && !stored.token.startsWith(`${tokenPrefix}:`);
  if (!isOfOtherStream) {
    const begun = last === undefined || last.kind === 'commit' ? undefined : last;
    // The announced batch may or may not be in the sink; repeating it is safe either way and tells its refusals again.
    if (begun !== undefined && (stored.position === begun.after || stored.position === begun.to)) {
      const isRolledBack = begun.kind === 'written' && stored.position !== begun.to;
      if (!isRolledBack) return { kind: 'recovered', committed, finish: begun };
    } else if (stored.position >= committed) {
      return { kind: 'recovered', committed: stored.position, finish: undefined };
    }
  }
  const logged = last?.kind === 'written' ? last.to : committed;
  const problem = isOfOtherStream
    ? 'that position belongs to another incarnation of the stream (deleted and made again, or another pipeline)'
    : 'the sink has gone back: what it had committed in between is gone from it';
  const error = mr('MR_SINK_POSITION_LOST', { sink, slot, stored: stored.position, committed: logged, problem });
  return { kind: 'lost', stored, isOfOtherStream, error };
}

async function decided<Rows extends RowBufferPort>(check: PositionCheck<Rows>, lost: Lost): Promise<Believed | Lost> {
  const { sinkSlot, log, signals } = check;
  switch (sinkSlot.onPositionLost) {
    case 'Stop':
      return lost;
    case 'Reread': {
      if (!lost.isOfOtherStream) {
        // First the log: should this owner end in between, both say the same.
        await log.place(lost.stored.position, signals.abort);
        return { kind: 'recovered', committed: lost.stored.position, finish: undefined };
      }
      await move(check, lost.stored.position, log.committed);
      return { kind: 'recovered', committed: log.committed, finish: undefined };
    }
    case 'Continue': {
      const to = log.last?.kind === 'written' ? log.last.to : log.committed;
      await move(check, lost.stored.position, to);
      await log.place(to, signals.abort);
      return { kind: 'recovered', committed: to, finish: undefined };
    }
    default:
      return assertNever(sinkSlot.onPositionLost);
  }
}

/** The sink's position goes where the log's was put. Done before, it is there already, under a token of this stream. */
async function follow<Rows extends RowBufferPort>(check: PositionCheck<Rows>, { stored }: Placed): Promise<Believed> {
  const { log, tokenPrefix } = check;
  const { committed } = log;
  const isThere = stored.position >= committed && stored.token.startsWith(`${tokenPrefix}:`);
  if (!isThere) await move(check, stored.position, committed);
  return { kind: 'recovered', committed: isThere ? stored.position : committed, finish: undefined };
}

/** A batch without rows, whose token says that the position was set. */
async function move<Rows extends RowBufferPort>(check: PositionCheck<Rows>, after: number, to: number): Promise<void> {
  const { sinkSlot, tokenPrefix, signals } = check;
  const id = { from: to, to, after, token: `${tokenPrefix}:set:${after}-${to}` };
  const end = await sinkSlot.write(sinkSlot.newRows(), id, undefined, signals.abort);
  if (end.kind === 'nothing' || end.kind === 'unknown') throw end.error;
}
