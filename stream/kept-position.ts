/**
 * Where a source stood when it left an edge. It is known by its name as long as the pipeline lives: one that comes back
 * goes on from there, and reads nothing again. Pure.
 *
 * B1  It is written down before a frame of the source is removed (`./retire.ts`), and kept while the source is away. When
 *     it is registered again its first frames have the positions (`./members.ts`), and nothing else has (E2).
 * B2  A slot that had read nothing begins like a new one. One that had lost frames which a sink has taken stands nowhere:
 *     it gets no first frame, so its writer finds none and asks (`./writer-tail.ts`).
 * B3  Positions belong to the connector that gave them, and to a number of slots: with others the source is refused
 *     (`./returning.ts`). Where no slot had read anything, the name is free. So is one whose connector nobody knows, when
 *     its frames have gone (v0.1).
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
  /** One for each slot of the source, by its number. */
  slots: z.array(stoodSchema),
});

export type Kept = z.infer<typeof keptSchema>;
type Stood = Kept['slots'][number];

export interface LastOfSlot {
  /** Of its last frame. */
  readonly position: Position | undefined;
  /** A sink has taken frames after that one. */
  readonly isLost: boolean;
}

export function keptOf(connector: string, lasts: readonly LastOfSlot[]): Kept {
  return { connector, slots: lasts.map(stoodOf) };
}

/** B3. Whether whoever comes under the name would go on from something. */
export function isBound({ slots }: Kept): boolean {
  return slots.some(({ stood }) => stood !== 'before its first record');
}

function stoodOf({ position, isLost }: LastOfSlot): Stood {
  if (isLost) return { stood: 'nowhere' };
  return position === undefined
    ? { stood: 'before its first record' }
    : { stood: 'at', position: z.json().parse(position) };
}
