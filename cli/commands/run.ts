/**
 * `millrace worker|controller|lifecycle|api`: the long-running processes.
 *
 * Each process ends on SIGTERM or SIGINT and resolves with its exit code; the command then exits Node, so that a handle
 * that was left open cannot keep a stopped pod until its grace period is over.
 */
import { Argument, Command } from 'commander';

type Process = (env: NodeJS.ProcessEnv) => Promise<number>;

const workers: Readonly<Record<string, () => Promise<Process>>> = {
  ingestor: async () => (await import('../../workers/ingestor/main.ts')).runIngestor,
  sink: async () => (await import('../../workers/sink/main.ts')).runSink,
};

export function workerCommand(): Command {
  return new Command('worker')
    .description('Run a worker of a pipeline. Configured by its environment; see workers/README.md.')
    .addArgument(new Argument('<kind>', 'which worker').choices(Object.keys(workers)))
    .action(async (kind: string) => {
      const load = workers[kind];
      if (load === undefined) return;
      const { collectRarely } = await import('../../workers/process/heap.ts');
      collectRarely();
      await run(await load());
    });
}

export function controllerCommand(): Command {
  return processCommand(
    'controller',
    'Run the controller: watches pipelines and tells Temporal what changed.',
    async () => (await import('../../workers/controller/main.ts')).runController,
  );
}

export function lifecycleCommand(): Command {
  return processCommand(
    'lifecycle',
    'Run the lifecycle worker: the Temporal workflows and activities.',
    async () => (await import('../../workers/lifecycle/main.ts')).runLifecycle,
  );
}

export function apiCommand(): Command {
  return processCommand(
    'api',
    'Run the REST API. Listens on MILLRACE_API_LISTEN, 127.0.0.1:8088 unless set.',
    async () => (await import('../../workers/api/main.ts')).runApi,
  );
}

function processCommand(name: string, description: string, load: () => Promise<Process>): Command {
  return new Command(name).description(description).action(async () => run(await load()));
}

async function run(start: Process): Promise<never> {
  process.exit(await start(process.env));
}
