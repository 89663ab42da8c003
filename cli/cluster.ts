/**
 * The cluster of the user's kubeconfig. Its client is loaded here, when a command needs the cluster, and not for
 * `--help` or a usage error.
 */
import type { Command } from 'commander';
import type { Kube } from '../kubernetes/kube.ts';
import { fieldManagers } from '../model/names.ts';
import { KubeError } from '../kubernetes/kube-error.ts';
import { withDefaults } from '../crds/defaults.ts';
import { inWords, pipelineDoor, type PipelineDoor } from '../kubernetes/pipelines.ts';
import { CommandFailed, exitCodes } from './exit.ts';

export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export interface Cluster {
  readonly kube: Kube;
  readonly pipelines: PipelineDoor;
  /** From `--namespace`, else from the kubeconfig's context, else `default`. */
  readonly namespace: string;
}

/** Adds the options of every command that uses the cluster. */
export function withClusterOptions(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'namespace; default: that of the kubeconfig context')
    .option('--kubeconfig <file>', 'default: $KUBECONFIG, else ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig');
}

/** Opens the cluster for one piece of work and closes it afterwards. */
export async function withCluster<T>(options: ClusterOptions, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const { createKube } = await import('../kubernetes/kube.ts');
  const { createTransport } = await import('../kubernetes/transport.ts');
  const { loadKubeconfig } = await import('../kubernetes/kubeconfig.ts');
  const config = loadKubeconfig(options.kubeconfig);
  if (options.context !== undefined && !config.hasContext(options.context)) {
    throw new CommandFailed(exitCodes.usage, `The kubeconfig has no context "${options.context}".`);
  }
  const access = config.access(options.context);
  const kube = createKube(createTransport(access));
  const namespace = options.namespace ?? access.namespace ?? 'default';
  try {
    return await work({ kube, pipelines: pipelineDoor(kube, fieldManagers.cli, withDefaults), namespace });
  } catch (error) {
    // The same refusal has the same code and exit code in every command.
    throw error instanceof KubeError ? inWords(error) : error;
  } finally {
    kube.close();
  }
}
