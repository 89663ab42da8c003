/**
 * A source connector for tests: slot s has the records `{"slot": s, "n": 0 … perSlot-1}`, in batches, and then waits.
 * While its directory has a file `half`, it waits half-way: a test that must meet a source with more to give need not race it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Source, SourceConnector, SourceReader } from '../../../connectors/connector.ts';
import type { Position } from '../../../stream/record-batch.ts';
import { batchOf } from '../../stream/support/batches.ts';

export interface NumberSourceConfig {
  readonly perSlot: number;
  readonly directory: string;
  readonly password?: string;
}

export const numberSource: SourceConnector<NumberSourceConfig> = {
  connect: ({ perSlot, directory }) =>
    Promise.resolve<Source>({
      open: (slot, position) => Promise.resolve(readerOf(slot, position, perSlot, join(directory, 'half'))),
      close: () => Promise.resolve(),
    }),
};

function readerOf(slot: number, position: Position | undefined, perSlot: number, hold: string): SourceReader {
  let next = typeof position === 'number' ? position : 0;
  return {
    async read(signal) {
      while (next >= perSlot || (next >= perSlot / 2 && existsSync(hold))) await delay(20, undefined, { signal });
      // Slow enough that a fault meets a source that is at work.
      await delay(1, undefined, { signal });
      const first = next;
      next = Math.min(perSlot, next + 50);
      const records = Array.from({ length: next - first }, (_, index) => ({
        value: JSON.stringify({ slot, n: first + index }),
        offset: BigInt(first + index),
      }));
      return batchOf(records, { partition: slot, positionAfter: (index) => first + index + 1 });
    },
    acknowledge: () => undefined,
    lag: () => perSlot - next,
    close: () => Promise.resolve(),
  };
}
