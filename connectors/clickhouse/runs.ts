/** Some of the rows of a batch, as runs of neighbours: most batches are one run. Pure. */

/** Rows `from` to `to`, the latter not included. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

export type Runs = readonly Run[];

/** All of `rows` rows but the ones at `refused`, in any order. */
export function runsWithout(rows: number, refused: readonly { readonly row: number }[] = []): Runs {
  const runs: Run[] = [];
  let from = 0;
  for (const { row } of refused.toSorted((a, b) => a.row - b.row)) {
    if (row > from) runs.push({ from, to: row });
    from = Math.max(from, row + 1);
  }
  if (from < rows) runs.push({ from, to: rows });
  return runs;
}

export function countOf(runs: Runs): number {
  let count = 0;
  for (const { from, to } of runs) count += to - from;
  return count;
}

/** Of the rows in `runs`, the ones from the `first`-th up to the `end`-th, that one not included. */
export function partOf(runs: Runs, first: number, end: number): Runs {
  const part: Run[] = [];
  let passed = 0;
  for (const { from, to } of runs) {
    const begin = Math.max(from, from + first - passed);
    const stop = Math.min(to, from + end - passed);
    if (begin < stop) part.push({ from: begin, to: stop });
    passed += to - from;
  }
  return part;
}

/** Number of the row that is the `nth` in `runs`. */
export function rowAt(runs: Runs, nth: number): number {
  const [run] = partOf(runs, nth, nth + 1);
  if (run === undefined) throw new RangeError(`there is no row ${nth} among ${countOf(runs)}`);
  return run.from;
}
