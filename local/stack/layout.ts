/** Where the local stack keeps things. */
import { join } from 'node:path';

export interface DataLayout {
  readonly dir: string;
  readonly logs: string;
  readonly lock: string;
  readonly ports: string;
  readonly kubeconfig: string;
  /** Beside the kubeconfig: where the one is, a program finds the other. */
  readonly apiToken: string;
  /** For a shell: `. .millrace/env`. */
  readonly shellEnv: string;
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
    apiToken: join(dir, 'api-token'),
    shellEnv: join(dir, 'env'),
    of: (part) => join(dir, part),
  };
}

/** All that a stack may have written into its data directory; `reset` removes these and nothing else. */
export const dataEntries = [
  ...['nats', 'temporal', 'kubernetes', 'clickhouse', 'node', 'kafka', 'postgres'],
  ...['logs', 'kubeconfig', 'api-token', 'env', 'bin', 'ports.json', 'stack.json'],
] as const;
