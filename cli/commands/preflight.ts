/**
 * `millrace preflight PROCESS`: whether a process of an installation finds all that it needs, with every failure at once. It
 * uses the environment and the account of that process: the chart's tests run it in a pod of each.
 */
import { Argument, Command } from 'commander';
import { controlProcesses, type ControlProcess } from '../../model/rights.ts';
import type { Finding } from '../../workers/preflight/check.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { print } from '../output.ts';

export function preflightCommand(): Command {
  return new Command('preflight')
    .description(
      'Whether a process finds what it needs. It reads the same environment, and is asked as whoever runs this.',
    )
    .addArgument(new Argument('<process>', 'whose rights and needs').choices(controlProcesses))
    .action(async (name: ControlProcess) => {
      const { preflight } = await import('../../workers/preflight/preflight.ts');
      const findings = await preflight(name, process.env);
      print(findings.map(textOf).join(''));
      const failed = findings.filter(({ problems }) => problems.length > 0);
      if (failed.length === 0) return;
      throw new CommandFailed(exitCodes.failure, `${failed.length} of ${findings.length} are not in order`);
    });
}

function textOf({ name, problems, text }: Finding): string {
  if (problems.length === 0) return `ok      ${name.padEnd(14)} ${text}\n`;
  return problems.map((problem) => `FAILED  ${name.padEnd(14)} ${problem.message}\n        ${problem.fix}\n`).join('');
}
