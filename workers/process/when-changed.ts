/**
 * Ends a process when the files of a folder change: what was read at its start is then old. Kubernetes starts the container
 * anew. A mounted Secret changes by one link, a folder on a disk file by file; both are seen within `everyMs`.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';

const everyMs = 5_000;

/** Aborted with `stop`, and when the folder has changed; `stop` itself when there is no folder. */
export function orWhenChanged(
  folder: string | undefined,
  stop: AbortSignal,
  log: Pick<Logger, 'info'>,
  intervalMs = everyMs,
): AbortSignal {
  if (folder === undefined) return stop;
  const changed = new AbortController();
  const before = printOf(folder);
  const timer = setInterval(() => {
    const now = printOf(folder);
    if (now === undefined || now === before) return;
    clearInterval(timer);
    log.info({ folder }, 'its files have changed: the process ends, to start with them');
    changed.abort(new Error(`the files of ${folder} have changed`));
  }, intervalMs);
  timer.unref();
  stop.addEventListener('abort', () => clearInterval(timer), { once: true });
  return AbortSignal.any([stop, changed.signal]);
}

/** Equal while all files are. Undefined: it cannot be read, as for a moment while it is exchanged; it then counts as it was. */
function printOf(folder: string): string | undefined {
  const hash = createHash('sha256');
  try {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      if (!statSync(path).isFile()) continue;
      hash.update(`${name}\0`).update(readFileSync(path)).update('\0');
    }
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
