/**
 * `millrace decide NAME TOKEN CHOICE`: decides how a pipeline continues that waits for a person because something that
 * it relied on is gone. The message that asks for the decision has the token.
 */
import { Argument, Command } from 'commander';
import { decisionChoices, type DecisionChoice } from '../../model/decision.ts';
import { decideOn } from '../../kubernetes/decisions.ts';
import { withCluster, withClusterOptions, type ClusterOptions } from '../cluster.ts';
import { durationOption } from '../durations.ts';
import { print, say } from '../output.ts';
import { pipelineArgument } from '../pipeline-name.ts';
import { untilDecided, waitFor } from '../wait.ts';

interface Options extends ClusterOptions {
  readonly wait: boolean;
  readonly timeout: string;
}

export function decideCommand(): Command {
  return withClusterOptions(
    new Command('decide')
      .description('Say how to go on after a loss. `millrace describe` names the token and what each choice means.')
      .addArgument(pipelineArgument())
      .addArgument(new Argument('<token>', 'from the message that asks, such as records.1'))
      .addArgument(new Argument('<choice>', 'what to do').choices(decisionChoices)),
  )
    .option(
      '--wait',
      'show each step and end when it is carried out and the pipeline has been ready for 15 s, or asks again',
      false,
    )
    .addOption(durationOption('--timeout <duration>', 'of --wait', '5m'))
    .action(async (name: string, token: string, choice: DecisionChoice, options: Options) => {
      await withCluster(options, async (cluster) => {
        const { pipelines, namespace } = cluster;
        const found = await pipelines.get(namespace, name);
        const text = await decideOn(pipelines, found, { token, choice, note: new Date().toISOString() });
        if (!options.wait) {
          print(`pipeline/${name} decided: ${token} ${choice}; it is carried out within seconds\n`);
          return;
        }
        const { timeout } = options;
        const judge = untilDecided(found, { token, text });
        await waitFor(cluster, { namespace, name, wanted: 'ready', timeout, known: found.status, judge, say });
        print(`pipeline/${name} decided: ${token} ${choice}; it is ready\n`);
      });
    });
}
