#!/usr/bin/env node
/**
 * The `millrace` command.
 *
 * stdout carries data, stderr words for people; exit codes are in `./exit.ts`, commands in `./commands.ts`.
 */
import { Command } from 'commander';
import { commands, type CommandEntry } from './commands.ts';
import { failureOf } from './exit.ts';
import { endWithOutput, say } from './output.ts';
import { packageVersion } from '../workers/process/version.ts';

/** Runs one command line and leaves its exit code in `process.exitCode`. */
export async function main(args: readonly string[]): Promise<void> {
  endWithOutput();
  try {
    const program = await programFor(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    const failure = failureOf(error);
    if (failure.text !== null) say(failure.text);
    process.exitCode = failure.exitCode;
  }
}

/** The program with the code of the command that `args` name; the others are only listed. */
async function programFor(args: readonly string[]): Promise<Command> {
  const [first, second] = args.filter((arg) => !arg.startsWith('-'));
  const wanted = first === 'help' ? second : first;
  const program = new Command('millrace')
    .description('Streaming pipelines on Kubernetes.')
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('(see --help)')
    .exitOverride();
  for (const entry of commands) {
    const command = entry.name === wanted ? await entry.load() : listed(entry);
    program.addCommand(overrideExit(command.summary(entry.summary).helpGroup(entry.group)));
  }
  return program;
}

function listed(entry: CommandEntry): Command {
  return new Command(entry.name);
}

/** addCommand, unlike command(), does not pass `exitOverride` on. */
function overrideExit(command: Command): Command {
  for (const sub of command.commands) overrideExit(sub);
  return command.exitOverride().showHelpAfterError('(see --help)');
}

if (import.meta.main) await main(process.argv.slice(2));
