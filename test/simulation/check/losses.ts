/** I15: nobody is asked about a loss that did not happen. */
import { Violation } from './violation.ts';

/** Where something can be lost for good. */
export type Place = 'edge' | 'sink' | 'source';

/** Questions, and where something may have been lost when one is asked. */
const causes: Readonly<Record<string, readonly Place[]>> = {
  // Placed back, a reader asks about frames that a sweeper removed meanwhile, which had looked before.
  MR_POSITION_LOST: ['edge', 'sink'],
  MR_EDGE_LOST: ['edge'],
  MR_SINK_POSITION_LOST: ['sink', 'edge'],
  MR_SOURCE_POSITION_LOST: ['source', 'edge'],
};

export class Losses {
  readonly #places = new Set<Place>();

  happened(place: Place): void {
    this.#places.add(place);
  }

  hasHappened(place: Place): boolean {
    return this.#places.has(place);
  }

  /** Undefined: there may be a reason to ask. */
  falseAlarm({ code, sentence }: { readonly code: string; readonly sentence: string }): Violation | undefined {
    const wanted = causes[code];
    // An outcome that is unknown is asked about where nothing was lost.
    if (wanted === undefined || wanted.some((place) => this.#places.has(place))) return undefined;
    return new Violation('I15', `a person is asked, and nothing was lost: ${sentence}`);
  }
}
