/** Where the local stack keeps things, and which programs of this repository it runs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));

export interface DataLayout {
  readonly dir: string;
  readonly logs: string;
  readonly lock: string;
  readonly ports: string;
  readonly kubeconfig: string;
  /** Of one part. */
  readonly of: (part: string) => string;
}

export function layoutOf(dir: string): DataLayout {
  return {
    dir,
    logs: join(dir, 'logs'),
    lock: join(dir, 'stack.lock'),
    ports: join(dir, 'ports.json'),
    kubeconfig: join(dir, 'kubeconfig'),
    of: (part) => join(dir, part),
  };
}

/** All that a stack may have written into its data directory; `reset` removes these and nothing else. */
export const dataEntries = [
  ...['nats', 'temporal', 'kubernetes', 'clickhouse', 'node', 'kafka', 'postgres'],
  ...['logs', 'kubeconfig', 'ports.json', 'stack.json'],
] as const;

/** A Node that runs this repository's TypeScript: the one among its dependencies, else the one that runs now. */
export function nodeCommand(): string {
  const own = join(repository, 'node_modules', 'node', 'bin', 'node');
  return existsSync(own) ? own : process.execPath;
}
