/**
 * The positions of a source that has left an edge. They are kept under its name as long as the pipeline lives: a source
 * that comes back continues from them and reads nothing twice. Pure.
 *
 * B1  They are recorded before a frame of the source is removed (`./retire.ts`), and kept while the source is away. When
 *     it is registered again they move into its first frames (`./register-writers.ts`), and are nowhere else (E2).
 * B2  A slot that had read nothing starts like a new one. A slot whose frames were lost after a sink had read them stands
 *     nowhere: it gets no first frame, so its writer finds none and asks a person (`./writer-tail.ts`).
 * B3  Positions belong to the connector that gave them, and to a number of slots: with others the source is refused
 *     (`./returning-source.ts`). The name is free if no slot had read anything, and, for a source of v0.1 whose connector is
 *     unknown, once its frames are removed.
 */
import { z } from 'zod';
import type { Position } from './record-batch.ts';

const stoodSchema = z.discriminatedUnion('stood', [
  z.object({ stood: z.literal('at'), position: z.json() }),
  z.object({ stood: z.literal('nowhere') }),
  z.object({ stood: z.literal('before its first record') }),
]);

export const keptSchema = z.object({
  connector: z.string(),
  /** One per slot of the source, by slot number. */
  slots: z.array(stoodSchema),
});

export type Kept = z.infer<typeof keptSchema>;
type Stood = Kept['slots'][number];

export interface LastOfSlot {
  /** Of its last frame. */
  readonly position: Position | undefined;
  /** A sink has read frames after that one. */
  readonly isLost: boolean;
}

export function keptOf(connector: string, lasts: readonly LastOfSlot[]): Kept {
  return { connector, slots: lasts.map(stoodOf) };
}

/** B1. A slot whose frames are removed already stands where it was recorded then. */
export function continued(before: Kept | undefined, now: Kept, isRemoved: (slot: number) => boolean): Kept {
  const slots = now.slots.map((stood, slot) => (isRemoved(slot) ? (before?.slots[slot] ?? stood) : stood));
  return { ...now, slots };
}

/** B3. True: a source of this name would continue from a position. */
export function isBound({ slots }: Kept): boolean {
  return slots.some(({ stood }) => stood !== 'before its first record');
}

function stoodOf({ position, isLost }: LastOfSlot): Stood {
  if (isLost) return { stood: 'nowhere' };
  return position === undefined
    ? { stood: 'before its first record' }
    : { stood: 'at', position: z.json().parse(position) };
}
