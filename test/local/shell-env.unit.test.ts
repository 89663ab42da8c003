import { equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
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

  async function write(others: ShellTools['others'], temporal = join(dir, 'built')): Promise<void> {
    const endpoints = {
      kubeconfig: layout.kubeconfig,
      kubernetesUrl: 'https://127.0.0.1:1',
      natsUrl: 'nats://127.0.0.1:2',
      temporalAddress: '127.0.0.1:3',
      temporalUiUrl: 'http://127.0.0.1:4',
      clickhouseUrl: 'http://127.0.0.1:5',
      apiUrl: 'http://127.0.0.1:6',
    };
    await writeShellEnv(layout, endpoints, { programs: { temporal }, others });
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

  for (const [how, found] of [
    ['by its path', () => join(layout.of('bin'), 'temporal')],
    ['by a path relative to where it was started', () => relative(process.cwd(), join(layout.of('bin'), 'temporal'))],
    ['through a link to the directory', () => join(dir, 'alias', 'temporal')],
  ] as const)
    it(`S2: stays usable when the next start finds Temporal's command there, ${how}`, async () => {
      await write(none);
      await rm(join(dir, 'alias'), { force: true });
      await symlink(layout.of('bin'), join(dir, 'alias'));
      await write(none, found());
      equal(await typed('temporal'), 'temporal at 127.0.0.1:3');
    });

  it('S2: leads to what a relative path on PATH named', async () => {
    await write(none, relative(process.cwd(), join(dir, 'built')));
    equal(await typed('temporal'), 'temporal at 127.0.0.1:3');
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
