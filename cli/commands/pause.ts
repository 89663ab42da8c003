/** `millrace pause|stop|resume NAME`: sets `spec.desiredState`, and nothing else. */
import { Command } from 'commander';
import { stillOf } from '../../client/settled.ts';
import type { DesiredState } from '../../model/plan.ts';
import { warnIfBeingDeleted } from '../being-deleted.ts';
import { withCluster, withClusterOptions, type ClusterOptions } from '../cluster.ts';
import { durationOption } from '../durations.ts';
import { print, say } from '../output.ts';
import { pipelineArgument } from '../pipeline-name.ts';
import { reachedText, untilSettled, waitFor } from '../wait.ts';

interface Options extends ClusterOptions {
  readonly wait: boolean;
  readonly timeout: string;
}

export function pauseCommand(): Command {
  return stateCommand('pause', 'Paused', 'Stop moving records at once; streams and positions are kept.');
}

export function stopCommand(): Command {
  return stateCommand('stop', 'Stopped', 'Stop the sources, drain what was taken in, then stop the sinks.');
}

export function resumeCommand(): Command {
  return stateCommand('resume', 'Running', 'Go on from where the pipeline was paused or stopped.');
}

function stateCommand(verb: string, state: DesiredState, description: string): Command {
  return withClusterOptions(new Command(verb).description(description).addArgument(pipelineArgument()))
    .option('--wait', 'show each step and end when it is done', false)
    .addOption(durationOption('--timeout <duration>', 'of --wait', '5m'))
    .action(async (name: string, options: Options) => {
      await withCluster(options, async (cluster) => {
        const { pipelines, namespace } = cluster;
        const found = await pipelines.get(namespace, name);
        const stored = await pipelines.setDesiredState(found, state);
        if (!options.wait) {
          print(`pipeline/${name} ${verb} asked for\n`);
          warnIfBeingDeleted(stored.metadata);
          return;
        }
        const { timeout } = options;
        const judge = untilSettled(stored, stillOf(state));
        const known = found.status;
        const reached = await waitFor(cluster, { namespace, name, wanted: state, timeout, known, judge, say });
        print(`pipeline/${name} ${reachedText(reached.message, reached)}\n`);
      });
    });
}
