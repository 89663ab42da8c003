/**
 * The token of the local stack's API: made once for a data directory, readable by its owner only.
 *
 * It keeps other users of the machine, and pages that a browser lets through, from commanding the stack. Programs of the
 * owner read it by themselves (`client/token.ts`).
 */
import { randomBytes } from 'node:crypto';
import { exists, writeFileAtomic } from './files.ts';

/** Keeps the one that is there: programs that run must not lose their access by a restart of the stack. */
export async function ensureApiToken(file: string): Promise<void> {
  if (!(await exists(file))) await writeFileAtomic(file, `${randomBytes(32).toString('base64url')}\n`);
}
