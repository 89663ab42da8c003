/** Steps side by side: the first that fails cancels the others, and is thrown when all have ended. */
import { CancellationScope } from '@temporalio/workflow';

export async function together<T>(steps: readonly (() => Promise<T>)[]): Promise<T[]> {
  const scope = new CancellationScope();
  const failures: unknown[] = [];
  const results = await scope.run(() =>
    Promise.all(
      steps.map(async (step) => {
        try {
          return [await step()];
        } catch (error) {
          failures.push(error);
          scope.cancel();
          return [];
        }
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
  return results.flat();
}
