/**
 * How the garbage collector of a worker is set: what each kind of stage throws away differs, and so does what suits it.
 *
 * An ingestor allocates buffers of frame size and hardly any object: with a small young generation their memory is
 * given back early, and no collection of the whole heap is needed for it. A sink makes an object of every record: with
 * a larger young generation they are dead before anything has to be copied. Measured with bench/run.ts;
 * docs/benchmarks.md has the figures.
 */
import type { Stage } from '../../../model/plan.ts';

/** In MiB, for each kind of stage. */
const semiSpace: Readonly<Record<Stage['kind'], number>> = { ingestor: 1, sink: 32 };

/** Value of NODE_OPTIONS. */
export function nodeOptions(kind: Stage['kind']): string {
  return `--max-semi-space-size=${semiSpace[kind]}`;
}
