/** What must become of a record, in straight lines: the plain reference that I4 names. Shares no code with the steps. */
import type { Kind, Shape } from '../plant/shape.ts';

/** A record as its source has it. */
export interface Input {
  /** Unique, and in the record: `orders/0/17`. */
  readonly id: string;
  readonly kind: Kind;
  /** Not JSON at all. */
  readonly isBroken: boolean;
  /** Name of a sink that will not take its row; empty: all would. */
  readonly refusedBy: string;
}

export interface Fate {
  /** Names of the sinks that get a row of it. */
  readonly rows: readonly string[];
  /** Stages that write a dead letter of it, with the code. */
  readonly letters: readonly { readonly stage: string; readonly code: string }[];
}

const nothing: Fate = { rows: [], letters: [] };

/** What a row must hold under a plan. */
export function rowOf(input: Input, shape: Shape): string {
  return `${input.id} ${input.kind} g${shape.generation}`;
}

export function fateOf(input: Input, shape: Shape): Fate {
  // Failures of decoding and steps are told once, by the first sink's stage.
  const teller = `sink-${shape.sinks[0]!.name}`;
  if (input.isBroken) return { rows: [], letters: [{ stage: teller, code: 'MR_RECORD_NOT_JSON' }] };
  if (shape.drops.includes(input.kind)) return nothing;
  if (shape.fails.includes(input.kind)) {
    return { rows: [], letters: [{ stage: teller, code: 'MR_RECORD_EXPRESSION' }] };
  }
  const rows: string[] = [];
  const letters: { stage: string; code: string }[] = [];
  let isTaken = false;
  for (const sink of shape.sinks) {
    if (sink.takes === undefined) {
      // A copy.
    } else if (sink.takes === 'otherwise') {
      if (isTaken) continue;
    } else {
      if (isTaken || !sink.takes.includes(input.kind)) continue;
      isTaken = true;
    }
    if (input.refusedBy === sink.name) letters.push({ stage: `sink-${sink.name}`, code: 'MR_RECORD_REFUSED' });
    else rows.push(sink.name);
  }
  return { rows, letters };
}
