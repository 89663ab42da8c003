/**
 * `millrace decide NAME TOKEN CHOICE`: says how to go on where a pipeline waits for a person, because something that it
 * relied on is gone. The token is in the message that asks.
 *
 * D1  It is refused when nothing in the pipeline's status asks for it, and while an earlier one was not looked at: there is
 *     one annotation, and the earlier one would be gone.
 */
import { Argument, Command } from 'commander';
import { decisionChoices, decisionText, isAsked, parseDecision, type DecisionChoice } from '../../model/decision.ts';
import { mr } from '../../model/errors.ts';
import { annotations } from '../../model/names.ts';
import { withCluster, withClusterOptions, type ClusterOptions } from '../cluster.ts';
import { print } from '../output.ts';
import { pipelineArgument } from '../pipeline-name.ts';

export function decideCommand(): Command {
  return withClusterOptions(
    new Command('decide')
      .description('Say how to go on after a loss. `millrace describe` names the token and what each choice means.')
      .addArgument(pipelineArgument())
      .addArgument(new Argument('<token>', 'from the message that asks, such as records.1'))
      .addArgument(new Argument('<choice>', 'what to do').choices(decisionChoices)),
  ).action(async (name: string, token: string, choice: DecisionChoice, options: ClusterOptions) => {
    await withCluster(options, async ({ pipelines, namespace }) => {
      const found = await pipelines.get(namespace, name);
      const decision = parseDecision(`${token}=${choice}`);
      const refuse = (problem: string) => mr('MR_DECISION_REFUSED', { decision: `${token}=${choice}`, problem });
      if (decision === undefined || !isAsked(found.status ?? {}, token)) {
        throw refuse(`nothing in the status of pipeline ${name} asks for it`);
      }
      const earlier = found.metadata.annotations?.[annotations.decision];
      if (earlier !== undefined && earlier !== found.status?.decision?.text) {
        throw refuse(`decision "${earlier}" was not looked at yet; \`millrace describe ${name}\` says when it was`);
      }
      // The note tells it from the same decision about an earlier loss.
      await pipelines.decide(found, decisionText(decision, new Date().toISOString()));
      print(`pipeline/${name} decided: ${token} ${choice}; it is carried out within seconds\n`);
    });
  });
}
