/**
 * Wraps a sink's slot to report requests that are not answered yet, so that a silent server is noticed long before the
 * request times out. Silence is a common fault: a firewall that drops packets, a server that swaps. And hides values of
 * Secrets in what the slot says for the commit log: refusals, and where it writes.
 */
import type { SinkSlot } from '../../connectors/connector.ts';
import { targetName } from '../../stream/target-name.ts';
import type { SlotRun } from '../pod/state.ts';
import { hidingWrite, type Hide } from './hidden-refusals.ts';

export function listening(slot: SinkSlot, { asking }: Pick<SlotRun, 'asking'>, hide: Hide): SinkSlot {
  const write = hidingWrite(slot, hide);
  async function answered<T>(ask: () => Promise<T>): Promise<T> {
    asking(true);
    try {
      return await ask();
    } finally {
      asking(false);
    }
  }
  const shared = {
    ...(slot.target === undefined ? {} : { target: targetName(slot.target, hide) }),
    newRows: () => slot.newRows(),
    write: (...attempt: Parameters<SinkSlot['write']>) => answered(() => write(...attempt)),
    close: () => slot.close(),
  };
  if (slot.positionIn === 'sink') {
    const { positionIn, onPositionLost } = slot;
    return { ...shared, positionIn, onPositionLost, storedPosition: (s) => answered(() => slot.storedPosition(s)) };
  }
  return {
    ...shared,
    positionIn: slot.positionIn,
    mark: (signal) => answered(() => slot.mark(signal)),
    mayRepeat: (...question) => answered(() => slot.mayRepeat(...question)),
  };
}
