/**
 * All commands, one line each. The code of a command is loaded when it is used, so that `millrace --help` and
 * `millrace lint` do not load the Kubernetes client.
 */
import type { Command } from 'commander';

export interface CommandEntry {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const pipelines = 'Pipelines:';
const api = 'REST API:';
const files = 'Files:';
const stack = 'Local stack:';
const processes = 'Processes (run by a Kubernetes Deployment, and by `millrace dev`):';

export const commands: readonly CommandEntry[] = [
  {
    name: 'apply',
    group: pipelines,
    summary: 'Create or change pipelines from a file',
    load: async () => (await import('./commands/apply.ts')).applyCommand(),
  },
  {
    name: 'get',
    group: pipelines,
    summary: 'List pipelines, or print one',
    load: async () => (await import('./commands/get.ts')).getCommand(),
  },
  {
    name: 'describe',
    group: pipelines,
    summary: 'Say what a pipeline does, or why it does not',
    load: async () => (await import('./commands/describe.ts')).describeCommand(),
  },
  {
    name: 'pause',
    group: pipelines,
    summary: 'Stop moving records at once and keep everything',
    load: async () => (await import('./commands/pause.ts')).pauseCommand(),
  },
  {
    name: 'resume',
    group: pipelines,
    summary: 'Go on from where it was paused or stopped',
    load: async () => (await import('./commands/pause.ts')).resumeCommand(),
  },
  {
    name: 'stop',
    group: pipelines,
    summary: 'Stop the sources, drain what was taken in, then stop the sinks',
    load: async () => (await import('./commands/pause.ts')).stopCommand(),
  },
  {
    name: 'retry',
    group: pipelines,
    summary: 'Try again what failed, once its cause is mended',
    load: async () => (await import('./commands/retry.ts')).retryCommand(),
  },
  {
    name: 'decide',
    group: pipelines,
    summary: 'Say how to go on after a loss, where it waits for you',
    load: async () => (await import('./commands/decide.ts')).decideCommand(),
  },
  {
    name: 'delete',
    group: pipelines,
    summary: 'Drain a pipeline and take it down',
    load: async () => (await import('./commands/delete.ts')).deleteCommand(),
  },
  {
    name: 'logs',
    group: pipelines,
    summary: "Print the logs of a pipeline's pods",
    load: async () => (await import('./commands/logs.ts')).logsCommand(),
  },
  {
    name: 'login',
    group: api,
    summary: 'Log in to an API whose callers an issuer knows',
    load: async () => (await import('./commands/login.ts')).loginCommand(),
  },
  {
    name: 'logout',
    group: api,
    summary: 'Forget a login',
    load: async () => (await import('./commands/login.ts')).logoutCommand(),
  },
  {
    name: 'token',
    group: api,
    summary: 'Print the token that an API asks for',
    load: async () => (await import('./commands/token.ts')).tokenCommand(),
  },
  {
    name: 'lint',
    group: files,
    summary: 'Check files without a cluster',
    load: async () => (await import('./commands/lint.ts')).lintCommand(),
  },
  {
    name: 'dev',
    group: stack,
    summary: 'Run the whole stack on this machine',
    load: async () => (await import('./commands/dev.ts')).devCommand(),
  },
  {
    name: 'preflight',
    group: processes,
    summary: 'Say whether a process finds all that it needs',
    load: async () => (await import('./commands/preflight.ts')).preflightCommand(),
  },
  {
    name: 'nats-identity',
    group: processes,
    summary: 'Make the keys with which NATS tells pipelines apart',
    load: async () => (await import('./commands/nats-identity.ts')).natsIdentityCommand(),
  },
  {
    name: 'uninstall',
    group: processes,
    summary: 'What happens to pipelines before the control plane is removed',
    load: async () => (await import('./commands/uninstall.ts')).uninstallCommand(),
  },
  {
    name: 'worker',
    group: processes,
    summary: 'Run a worker of a pipeline: ingestor or sink',
    load: async () => (await import('./commands/run.ts')).workerCommand(),
  },
  {
    name: 'controller',
    group: processes,
    summary: 'Run the controller',
    load: async () => (await import('./commands/run.ts')).controllerCommand(),
  },
  {
    name: 'lifecycle',
    group: processes,
    summary: 'Run the lifecycle worker',
    load: async () => (await import('./commands/run.ts')).lifecycleCommand(),
  },
  {
    name: 'api',
    group: processes,
    summary: 'Run the REST API',
    load: async () => (await import('./commands/run.ts')).apiCommand(),
  },
];
