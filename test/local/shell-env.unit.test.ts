import { equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShellEnv, type ShellTools } from '../../local/shell-env.ts';
import { layoutOf, type DataLayout } from '../../local/stack/layout.ts';

describe("a shell's environment", () => {
  const none = { kafkaBrokers: undefined, postgresPort: undefined };
  let dir: string;
  let layout: DataLayout;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-shell-'));
    layout = layoutOf(join(dir, "a person's stack"));
    await mkdir(layout.dir);
    await writeFile(join(dir, 'built'), '#!/bin/sh\necho "temporal at $TEMPORAL_ADDRESS"\n', { mode: 0o755 });
  });
  after(() => rm(dir, { recursive: true }));

  async function write(others: ShellTools['others']): Promise<void> {
    const endpoints = {
      kubeconfig: layout.kubeconfig,
      kubernetesUrl: 'https://127.0.0.1:1',
      natsUrl: 'nats://127.0.0.1:2',
      temporalAddress: '127.0.0.1:3',
      temporalUiUrl: 'http://127.0.0.1:4',
      clickhouseUrl: 'http://127.0.0.1:5',
      apiUrl: 'http://127.0.0.1:6',
    };
    await writeShellEnv(layout, endpoints, { programs: { temporal: join(dir, 'built') }, others });
  }

  /** What is printed, in a shell that is somewhere else. */
  function typed(script: string): Promise<string> {
    return new Promise((resolve) => {
      const env = { PATH: process.env['PATH'], ENV_FILE: layout.shellEnv };
      execFile('/bin/sh', ['-uc', `. "$ENV_FILE"\n${script}`], { cwd: '/', env }, (_, stdout, stderr) =>
        resolve(`${stdout}${stderr}`.trim()),
      );
    });
  }

  it("has Temporal's own command, of that stack", async () => {
    await write(none);
    equal(await typed('temporal'), 'temporal at 127.0.0.1:3');
  });

  it('is written again by the next start, with its ports', async () => {
    await write(none);
    await write({ kafkaBrokers: '127.0.0.1:9', postgresPort: 8 });
    equal(await typed('temporal; echo "$KAFKA_BROKERS $POSTGRES_PORT"'), 'temporal at 127.0.0.1:3\n127.0.0.1:9 8');
  });

  it('leads `millrace dev` to the stack from any directory', async () => {
    await write(none);
    match(await typed('millrace dev status'), /a person's stack/);
  });

  it('gives way to a directory that is named', async () => {
    await write(none);
    match(await typed('millrace dev status --data-dir /nowhere'), /\/nowhere/);
  });
});
