/**
 * Connects a shell to the stack: `. .millrace/env` sets the addresses of its parts, and puts `millrace` and Temporal's own
 * command on PATH.
 *
 * S1  It is written when the ports are known and describes the current start: ports may change.
 * S2  A shell that is connected finds programs here, and may start the stack again: what it found here stays as it is,
 *     or it would become a link to itself.
 */
import { realpath, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { writeFileAtomic } from './files.ts';
import { quoted, writeMillraceShim } from './millrace-shim.ts';
import type { DataLayout } from './stack/layout.ts';
import type { StackEndpoints } from './stack/record.ts';

export interface ShellTools {
  /** Paths of programs by the names under which a shell finds them. */
  readonly programs: Readonly<Record<string, string>>;
  /** Where parts listen that not every stack has. */
  readonly others: { readonly kafkaBrokers: string | undefined; readonly postgresPort: number | undefined };
}

export async function writeShellEnv(
  layout: DataLayout,
  endpoints: StackEndpoints,
  { programs, others: { kafkaBrokers, postgresPort } }: ShellTools,
): Promise<void> {
  const bin = layout.of('bin');
  await writeMillraceShim(bin);
  for (const [name, program] of Object.entries(programs)) {
    if (await isIn(bin, program, name)) continue;
    await rm(join(bin, name), { force: true });
    await symlink(resolve(program), join(bin, name));
  }
  const variables: Readonly<Record<string, string>> = {
    MILLRACE_DATA_DIR: layout.dir,
    KUBECONFIG: endpoints.kubeconfig,
    MILLRACE_API: endpoints.apiUrl,
    MILLRACE_API_TOKEN_FILE: layout.apiToken,
    MILLRACE_TEMPORAL_ADDRESS: endpoints.temporalAddress,
    TEMPORAL_ADDRESS: endpoints.temporalAddress,
    MILLRACE_NATS_URL: endpoints.natsUrl,
    CLICKHOUSE_URL: endpoints.clickhouseUrl,
    ...(kafkaBrokers === undefined ? {} : { KAFKA_BROKERS: kafkaBrokers }),
    ...(postgresPort === undefined ? {} : { POSTGRES_PORT: String(postgresPort) }),
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  const path = `case ":$PATH:" in *:${quoted(bin)}:*) ;; *) export PATH=${quoted(bin)}:"$PATH" ;; esac\n`;
  await writeFileAtomic(layout.shellEnv, `# For a shell:  . ${quoted(layout.shellEnv)}\n${lines.join('')}${path}`);
}

/** S2. PATH may name the directory by another path, or by a link. */
async function isIn(bin: string, program: string, name: string): Promise<boolean> {
  return basename(program) === name && (await realpath(dirname(program))) === (await realpath(bin));
}
