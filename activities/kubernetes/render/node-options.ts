/**
 * The garbage collector settings of a worker: the kinds of stages allocate differently, so different settings suit
 * them.
 *
 * An ingestor allocates buffers of frame size and hardly any objects: with a small young generation their memory is
 * released early, without a collection of the whole heap. A sink creates an object for every record: with a larger
 * young generation they are dead before anything has to be copied. Measured with bench/run.ts; docs/benchmarks.md has
 * the figures.
 */
import type { Stage } from '../../../model/plan.ts';

/** In MiB, for each kind of stage. */
const semiSpace: Readonly<Record<Stage['kind'], number>> = { ingestor: 1, sink: 32 };

/** Value of NODE_OPTIONS. */
export function nodeOptions(kind: Stage['kind']): string {
  return `--max-semi-space-size=${semiSpace[kind]}`;
}
