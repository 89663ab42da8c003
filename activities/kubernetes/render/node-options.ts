/**
 * The garbage collector settings of a worker: the kinds of stages allocate differently, so different settings suit
 * them.
 *
 * Both move buffers that lie outside the heap: with a small young generation it is collected often, and what is dead by
 * then is released without a collection of the whole heap (workers/process/heap.ts). A sink with steps also creates
 * objects for its records: with a larger one more of them are dead by then. Measured with bench/run.ts;
 * docs/benchmarks.md has the figures.
 */
import type { Stage } from '../../../model/plan.ts';

/** In MiB, for each kind of stage. */
const semiSpace: Readonly<Record<Stage['kind'], number>> = { ingestor: 1, sink: 4 };

/** Value of NODE_OPTIONS. */
export function nodeOptions(kind: Stage['kind']): string {
  return `--max-semi-space-size=${semiSpace[kind]}`;
}
