/**
 * `node local/node/main.ts`: the local node as a process of the local stack.
 *
 * SIGTERM and SIGINT end all pods' processes, then the node; the pods stay in the API. Any other end leaves the processes
 * running for the next node.
 */
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { localBackoff } from './backoff.ts';
import { defaultCapacity, startNode } from './node.ts';

const command = new Command('millrace-local-node')
  .description('Registers a Kubernetes Node and runs the pods bound to it as processes of this machine.')
  .requiredOption('--kubeconfig <file>', 'how to reach the API')
  .requiredOption('--data-dir <dir>', "pods' directories, logs and addresses; kept between runs")
  .option('--name <name>', 'of the Node object', 'local')
  .option('--kubelet-port <port>', 'HTTPS port for logs and /healthz; 0: a free one', wholeNumber, 0)
  .option('--pod-network <cidr>', 'within 127.0.0.0/8; default: a /16 that no other node of this machine uses')
  .option('--shim-dir <dir>', "first on every container's PATH; `millrace` is written there; default: <data-dir>/bin")
  .option('--backoff-base <ms>', 'wait before the second restart; doubles', wholeNumber, localBackoff.baseMs)
  .option('--backoff-max <ms>', 'longest wait before a restart', wholeNumber, localBackoff.maxMs)
  .option('--shutdown-grace <ms>', 'how long pods may take to end on SIGTERM, at most', wholeNumber, 30_000)
  .option('--cpu <quantity>', 'nominal capacity; nothing is enforced', defaultCapacity.cpu)
  .option('--memory <quantity>', 'nominal capacity; nothing is enforced', defaultCapacity.memory)
  .option('--pods <count>', 'how many pods the scheduler may send here', defaultCapacity.pods);

interface Flags {
  readonly kubeconfig: string;
  readonly dataDir: string;
  readonly name: string;
  readonly kubeletPort: number;
  readonly podNetwork?: string;
  readonly shimDir?: string;
  readonly backoffBase: number;
  readonly backoffMax: number;
  readonly shutdownGrace: number;
  readonly cpu: string;
  readonly memory: string;
  readonly pods: string;
}

const flags = command.parse().opts<Flags>();
const log = pino({ base: { part: 'node' } });
const ended = new AbortController();
const signalled = new Promise<void>((resolve) => {
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      ended.abort();
      resolve();
    });
  }
});
try {
  const node = await startNode({
    kubeconfig: flags.kubeconfig,
    dataDir: flags.dataDir,
    name: flags.name,
    kubeletPort: flags.kubeletPort,
    ...(flags.podNetwork === undefined ? {} : { podNetwork: flags.podNetwork }),
    ...(flags.shimDir === undefined ? {} : { shimDir: flags.shimDir }),
    backoff: { ...localBackoff, baseMs: flags.backoffBase, maxMs: flags.backoffMax },
    shutdownGraceMs: flags.shutdownGrace,
    capacity: { cpu: flags.cpu, memory: flags.memory, pods: flags.pods },
    log,
    signal: ended.signal,
  });
  await signalled;
  log.info({}, 'ending all pods');
  await node.stop();
  process.exit(0);
} catch (error) {
  if (ended.signal.aborted) process.exit(0);
  log.error({ err: error }, 'the node ends');
  process.exit(1);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number');
  return value;
}
