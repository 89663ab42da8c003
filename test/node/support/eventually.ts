/** As in the other tests, with what kubectl is asked for: each question starts a process. */
import { eventually as often } from '../../support/eventually.ts';

export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return often(check, { intervalMs: 500 });
}
