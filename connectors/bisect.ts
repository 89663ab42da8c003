/**
 * Finds the rows that a sink will never take, by trying halves: in a transaction, or where nothing is stored.
 *
 * B1  A range is split at the same place each time, so that a repetition finds the same rows.
 * B2  What is not the fault of a row is thrown on, and nothing is refused for it.
 */

export interface Refused<Problem> {
  readonly row: number;
  readonly problem: Problem;
}

/**
 * Tries rows `from` to `to` (not included) with `write`, which resolves with the problem when a row in its range is at
 * fault, and with null when the range is taken. Returns the rows at fault, in order.
 */
export async function bisect<Problem>(
  from: number,
  to: number,
  write: (from: number, to: number) => Promise<Problem | null>,
): Promise<readonly Refused<Problem>[]> {
  const problem = await write(from, to);
  if (problem === null) return [];
  if (to - from === 1) return [{ row: from, problem }];
  const middle = from + Math.floor((to - from) / 2);
  const left = await bisect(from, middle, write);
  return [...left, ...(await bisect(middle, to, write))];
}
