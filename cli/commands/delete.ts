/** `millrace delete NAME`: deletes the resource; its deletionPolicy says what happens to records in the edges. */
import { Command } from 'commander';
import { withCluster, withClusterOptions, type ClusterOptions } from '../cluster.ts';
import { durationOption } from '../durations.ts';
import { print, say } from '../output.ts';
import { pipelineArgument } from '../pipeline-name.ts';
import { untilGone, waitFor } from '../wait.ts';

interface Options extends ClusterOptions {
  readonly wait: boolean;
  readonly force: boolean;
  readonly timeout: string;
}

export function deleteCommand(): Command {
  return withClusterOptions(
    new Command('delete')
      .description('Drain a pipeline and take it down, as its deletionPolicy says.')
      .addArgument(pipelineArgument()),
  )
    .option('--wait', 'show each step and end when it is gone', false)
    .option('--force', 'wait for nothing: sets deletionPolicy Orphan, so workloads and streams stay behind', false)
    .addOption(durationOption('--timeout <duration>', 'of --wait', '10m'))
    .action(async (name: string, options: Options) => {
      await withCluster(options, async (cluster) => {
        const { pipelines, namespace } = cluster;
        const found = await pipelines.get(namespace, name);
        if (options.force) await pipelines.orphan(found);
        await pipelines.remove(found);
        if (!options.wait) {
          print(`pipeline/${name} deletion asked for\n`);
          return;
        }
        const { timeout } = options;
        await waitFor(cluster, {
          namespace,
          name,
          wanted: 'gone',
          timeout,
          known: found.status,
          judge: untilGone(found),
          say,
        });
        print(`pipeline/${name} deleted\n`);
      });
    });
}
