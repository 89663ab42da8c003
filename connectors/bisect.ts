/**
 * Finds the rows that a sink will never accept, by trying halves: in a transaction, or where nothing is stored.
 *
 * B1  A range is split at the same place each time, so that a repetition finds the same rows.
 * B2  An error that is not the fault of a row is rethrown, and no row is refused because of it.
 * B3  Few faulty rows among many cost a logarithmic number of attempts each; when all rows are faulty, one attempt
 *     each. After a range whose rows were all refused, the same number of following rows are tried one by one, which
 *     costs no more than the number of faulty rows.
 */

export interface Refused<Problem> {
  readonly row: number;
  readonly problem: Problem;
}

/**
 * Tries rows `from` to `to` (not included) with `attempt`, which resolves with the problem when a row in its range is
 * at fault, and with null when the range is taken. Returns the rows at fault, in order. `width`: how many single rows
 * may be tried at the same time.
 */
export async function bisect<Problem>(
  from: number,
  to: number,
  attempt: (from: number, to: number) => Promise<Problem | null>,
  width = 1,
): Promise<readonly Refused<Problem>[]> {
  const problem = await attempt(from, to);
  if (problem === null) return [];
  if (to - from === 1) return [{ row: from, problem }];
  const middle = from + Math.floor((to - from) / 2);
  const left = await bisect(from, middle, attempt, width);
  const isDense = left.length === middle - from;
  const right = isDense ? await oneByOne(middle, to, attempt, width) : await bisect(middle, to, attempt, width);
  return [...left, ...right];
}

async function oneByOne<Problem>(
  from: number,
  to: number,
  attempt: (from: number, to: number) => Promise<Problem | null>,
  width: number,
): Promise<readonly Refused<Problem>[]> {
  const refused: Refused<Problem>[] = [];
  for (let first = from; first < to; first += width) {
    const rows = Array.from({ length: Math.min(width, to - first) }, (_, i) => first + i);
    // A few at a time: the sink has other work.
    const problems = await Promise.all(rows.map((row) => attempt(row, row + 1)));
    problems.forEach((problem, i) => {
      if (problem !== null) refused.push({ row: first + i, problem });
    });
  }
  return refused;
}
