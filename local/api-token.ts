/**
 * The token of the local stack's API: created once for a data directory, readable by its owner only.
 *
 * It keeps other users of the machine, and web pages that a browser lets through, from controlling the stack.
 * Programs of the owner read it by themselves (`client/token.ts`).
 */
import { randomBytes } from 'node:crypto';
import { exists, writeFileAtomic } from './files.ts';

/** Keeps an existing token: running programs must not lose their access when the stack is restarted. */
export async function ensureApiToken(file: string): Promise<void> {
  if (!(await exists(file))) await writeFileAtomic(file, `${randomBytes(32).toString('base64url')}\n`);
}
