/** `millrace uninstall`: what the chart's hook runs before the control plane is removed. */
import { Command, Option } from 'commander';
import { milliseconds } from '../../model/quantities.ts';
import { uninstallPolicies, type UninstallPolicy } from '../../model/uninstall-policy.ts';
import { durationOption } from '../durations.ts';
import { say } from '../output.ts';

interface Options {
  readonly policy: UninstallPolicy;
  readonly timeout: string;
  readonly saidIn?: string;
}

export function uninstallCommand(): Command {
  return new Command('uninstall')
    .description('Before the control plane is removed: keep it while there are pipelines, delete them, or leave them.')
    .addOption(new Option('--policy <policy>', 'what happens to pipelines').choices(uninstallPolicies).default('Block'))
    .addOption(durationOption('--timeout <duration>', 'of Drain', '10m'))
    .option('--said-in <namespace/name>', 'the ConfigMap that the policy comes from, for whoever is refused')
    .action(async ({ policy, timeout, saidIn }: Options) => {
      const { runUninstall } = await import('../../workers/uninstall/main.ts');
      await runUninstall(policy, process.env, { say, timeoutMs: milliseconds(timeout), saidIn });
    });
}
