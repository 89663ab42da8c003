/** Read, change, write with the resourceVersion that was read, and repeat if another writer was faster. */
import { KubeError } from './kube-error.ts';

/**
 * Controllers that write statuses change objects at most several times a second; each attempt here takes
 * milliseconds.
 */
const attempts = 8;

/** `write` reads again each time. Another owner of a field is not a race and is thrown at once. */
export async function untilNoConflict<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      const isRace = error instanceof KubeError && error.isConflict() && !error.isFieldConflict();
      if (!isRace || attempt >= attempts) throw error;
    }
  }
}
