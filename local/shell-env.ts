/**
 * Connects a shell to the stack: `. .millrace/env` sets the addresses of its parts, and puts `millrace` on PATH.
 *
 * S1  It is written when the ports are known and describes the current start: ports may change.
 */
import { writeFileAtomic } from './files.ts';
import { quoted, writeMillraceShim } from './millrace-shim.ts';
import type { DataLayout } from './stack/layout.ts';
import type { StackEndpoints } from './stack/record.ts';

export async function writeShellEnv(layout: DataLayout, endpoints: StackEndpoints): Promise<void> {
  const bin = layout.of('bin');
  await writeMillraceShim(bin);
  const variables: Readonly<Record<string, string>> = {
    KUBECONFIG: endpoints.kubeconfig,
    MILLRACE_API: endpoints.apiUrl,
    MILLRACE_API_TOKEN_FILE: layout.apiToken,
    MILLRACE_TEMPORAL_ADDRESS: endpoints.temporalAddress,
    MILLRACE_NATS_URL: endpoints.natsUrl,
    CLICKHOUSE_URL: endpoints.clickhouseUrl,
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  const path = `case ":$PATH:" in *:${quoted(bin)}:*) ;; *) export PATH=${quoted(bin)}:"$PATH" ;; esac\n`;
  await writeFileAtomic(layout.shellEnv, `# For a shell:  . ${quoted(layout.shellEnv)}\n${lines.join('')}${path}`);
}
