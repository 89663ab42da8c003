/**
 * `millrace dev [up|status|down|reset]`: the whole stack on this machine.
 *
 * `up` stays in the foreground and supervises; Ctrl-C or `millrace dev down` ends it. Results go to stdout, progress to
 * stderr.
 */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { progressTo } from '../../local/progress.ts';
import { startStack, type PartName, type PortName, type Stack } from '../../local/stack.ts';
import { forgetStack, statusOfStack, stopStack } from '../../local/stack/control.ts';
import { defaultPorts, portNames } from '../../local/stack/port-plan.ts';
import { assertNever } from '../../model/errors.ts';
import { howToTalk, partsTable } from '../stack-summary.ts';
import { extraParts, extras } from '../extra-parts.ts';
import { untilInterrupted } from '../interrupt.ts';
import { print, say } from '../output.ts';

const verbs = ['up', 'status', 'down', 'reset'] as const;

type Verb = (typeof verbs)[number];
type AskedPorts = Readonly<Partial<Record<PortName, number>>>;

interface DevOptions {
  readonly dataDir: string;
  readonly with: readonly PartName[];
  readonly port: AskedPorts;
  readonly once: boolean;
}

export function devCommand(): Command {
  const defaults = portNames.filter((name) => defaultPorts[name] > 0).map((name) => `${name}=${defaultPorts[name]}`);
  return new Command('dev')
    .description('Run the whole stack on this machine: Kubernetes API, Temporal, NATS, ClickHouse and Millrace itself.')
    .addArgument(new Argument('[verb]', 'what to do').choices(verbs).default('up'))
    .addOption(
      new Option('--data-dir <dir>', 'where data, logs and the kubeconfig live')
        .env('MILLRACE_DATA_DIR')
        .default('.millrace'),
    )
    .addOption(
      new Option('--with <parts>', `more parts: ${extras.join(',')}`).argParser(parseExtras).default([], 'none'),
    )
    .addOption(
      new Option('--port <name=number>', `fix a port, repeatable; by default ${defaults.join(' ')}`)
        .argParser(parsePort)
        .default({}, 'defaults, moved when in use'),
    )
    .option('--once', 'end again as soon as everything is ready', false)
    .action((verb: Verb, options: DevOptions) => act(verb, options));
}

async function act(verb: Verb, options: DevOptions): Promise<void> {
  switch (verb) {
    case 'up':
      return up(options);
    case 'status': {
      const record = await statusOfStack(options.dataDir);
      print(`${partsTable(record.parts)}\n${howToTalk(record.endpoints)}`);
      return;
    }
    case 'down': {
      const stopped = await stopStack(options.dataDir);
      say(sentenceOf(stopped));
      return;
    }
    case 'reset':
      await forgetStack(options.dataDir);
      say(`The data in ${options.dataDir} is gone; cached binaries stay.`);
      return;
    default:
      return assertNever(verb);
  }
}

async function up(options: DevOptions): Promise<void> {
  using interrupt = untilInterrupted();
  let stack: Stack;
  try {
    stack = await startStack({
      dataDir: options.dataDir,
      with: options.with,
      ports: options.port,
      progress: progressTo(process.stderr),
      signal: interrupt.signal,
    });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    say('Interrupted; nothing is left running.');
    process.exitCode = 130;
    return;
  }
  await using running = stack;
  print(`${partsTable(running.parts.map((part) => part.record))}\n${howToTalk(running.endpoints)}`);
  if (options.once) return;
  say('\nReady. Ctrl-C or `millrace dev down` ends it and keeps its data.');
  await interrupt.happened;
  say('\nStopping …');
}

function sentenceOf(stopped: Awaited<ReturnType<typeof stopStack>>): string {
  switch (stopped.was) {
    case 'running':
      return `Stopped (it was process ${stopped.pid}). Its data is kept.`;
    case 'crashed':
      return `It had crashed; ended what was left of it: ${stopped.ended.join(', ') || 'nothing'}.`;
    case 'stopped':
      return 'It was not running.';
    default:
      return assertNever(stopped);
  }
}

function parseExtras(value: string, before: readonly PartName[]): readonly PartName[] {
  return [...before, ...extraParts(value)];
}

function parsePort(value: string, before: AskedPorts): AskedPorts {
  const [, given, digits] = /^([a-z-]+)=(\d+)$/.exec(value) ?? [];
  const name = portNames.find((known) => known === given);
  const port = Number(digits);
  if (name === undefined || !(port >= 1 && port <= 65_535)) {
    throw new InvalidArgumentError(`Write it as NAME=NUMBER; names are ${portNames.join(', ')}.`);
  }
  return { ...before, [name]: port };
}
