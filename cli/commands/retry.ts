/**
 * `millrace retry NAME`: retries what failed, once its cause is corrected.
 *
 * The request goes to the pipeline's workflow, because the resource does not change; so this is the only command that
 * needs Temporal's address, and what lets it in there: the variables of the processes (`workers/process/temporal.ts`).
 */
import { randomUUID } from 'node:crypto';
import { Command, Option } from 'commander';
import { conditionOf, stillOf } from '../../client/settled.ts';
import type { StoredPipeline } from '../../client/wire.ts';
import { withCluster, withClusterOptions, type ClusterOptions } from '../cluster.ts';
import { durationOption } from '../durations.ts';
import { print, say } from '../output.ts';
import { pipelineArgument } from '../pipeline-name.ts';
import { reachedText, untilSettledAgain, waitFor } from '../wait.ts';

interface Options extends ClusterOptions {
  readonly wait: boolean;
  readonly timeout: string;
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
}

export function retryCommand(): Command {
  const temporal = (flags: string, variable: string, byDefault: string) =>
    new Option(flags).env(variable).default(byDefault);
  return withClusterOptions(
    new Command('retry')
      .description(
        'Try again what failed, without a change of the spec. Refused while an operation runs: that retries by itself.',
      )
      .addArgument(pipelineArgument()),
  )
    .option('--wait', 'show each step and end when the pipeline is ready', false)
    .addOption(durationOption('--timeout <duration>', 'of --wait', '5m'))
    .addOption(temporal('--temporal-address <host:port>', 'MILLRACE_TEMPORAL_ADDRESS', '127.0.0.1:7233'))
    .addOption(temporal('--temporal-namespace <name>', 'MILLRACE_TEMPORAL_NAMESPACE', 'default'))
    .action(async (name: string, options: Options) => {
      await withCluster(options, async (cluster) => {
        const { pipelines, namespace } = cluster;
        const found = await pipelines.get(namespace, name);
        await retryAt(options, { namespace, name, uid: found.metadata.uid ?? '' });
        const refused = refusalOf(found);
        if (refused !== undefined) say(refused);
        if (!options.wait) {
          print(`pipeline/${name} retry asked for\n`);
          return;
        }
        const { timeout } = options;
        const judge = untilSettledAgain(found);
        const still = stillOf(found.spec.desiredState);
        const wanted = still ?? 'ready';
        const known = found.status;
        const reached = await waitFor(cluster, { namespace, name, wanted, timeout, known, judge, say });
        print(`pipeline/${name} ${reachedText(wanted, reached)}\n`);
      });
    });
}

/** A retry reads a refused spec again, which helps only if the reason was elsewhere. */
export function refusalOf({ metadata, status }: StoredPipeline): string | undefined {
  const accepted = conditionOf(status, 'Accepted');
  if (accepted?.status !== 'False' || (accepted.observedGeneration ?? 0) < (metadata.generation ?? 0)) return undefined;
  return `its spec is refused, and read once more as it is (${accepted.reason}): ${accepted.message}`;
}

async function retryAt(
  { temporalAddress, temporalNamespace }: Options,
  pipeline: { namespace: string; name: string; uid: string },
): Promise<void> {
  const { temporalRuns } = await import('../../workers/api/operation-runs.ts');
  const { temporalIn } = await import('../../workers/process/temporal.ts');
  const at = { ...temporalIn(process.env), address: temporalAddress, namespace: temporalNamespace };
  const runs = temporalRuns({ ...at, uiUrl: undefined });
  try {
    await runs.retry(pipeline, randomUUID());
  } finally {
    await runs.close();
  }
}
