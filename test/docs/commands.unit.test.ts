import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { commands } from '../../cli/commands.ts';
import { valuesSchema } from '../../deploy/chart/values.ts';
import { lintText } from '../../crds/lint.ts';
import { blocksOf, commandsIn, headerCommands, root, textOf, trackedFiles } from './blocks.ts';

const documents = trackedFiles('*.md').filter((file) => file !== 'CHANGELOG.md');
const examples = trackedFiles('examples/*.yaml');
const scripts = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(textOf('package.json'))).scripts;

describe('what the documents tell a reader to type', () => {
  for (const file of documents) {
    for (const { language, text, line } of blocksOf(file)) {
      if (language === 'sh') it(`${file}:${line} names commands that there are`, () => checkAll(text));
      else if (language === 'yaml') it(`${file}:${line} is YAML that lint lets through`, () => checkYaml(text, file));
      else if (language === 'sql')
        it(`${file}:${line} names tables and columns that the sink has`, () => checkSql(text));
      else if (language === 'json') it(`${file}:${line} is JSON`, () => void JSON.parse(text));
      // Types are checked in snippets.test.ts.
      else if (language !== 'ts' && language !== '')
        it(`${file}:${line} is of a kind that is checked`, () => assert.fail(language));
    }
    const inline = [...textOf(file).matchAll(/`(millrace [a-z][^`]*|npm [^`]*)`/g)].map(([, command = '']) => command);
    if (inline.length > 0) {
      it(`${file} names commands that there are, in its sentences`, async () => {
        for (const command of inline) await checkMention(command);
      });
    }
  }

  for (const file of examples) {
    it(`${file} says how it is applied, in commands that there are`, async () => {
      const header = headerCommands(file);
      assert.match(header, new RegExp(`^(kubectl apply -f ${file}|sed .* ${file} \\| kubectl apply -f -)$`, 'm'));
      await checkAll(header);
    });
  }
});

async function checkAll(script: string): Promise<void> {
  for (const command of commandsIn(script).flatMap(partsOfPipe)) await check(command);
}

function partsOfPipe(command: string): string[] {
  const outsideOfQuotes = /(?=(?:[^']*'[^']*')*[^']*$)/.source;
  return command.split(new RegExp(` \\| ${outsideOfQuotes}`));
}

async function check(command: string): Promise<void> {
  const [program = '', ...args] = command.replace(/^([A-Z_]+=\S+ )+/, '').split(/\s+/);
  switch (program) {
    case 'millrace':
      return checkMillrace(args);
    case 'npm':
      return checkNpm(args);
    case 'kubectl':
      return checkKubectl(args);
    case 'node':
    case 'sh':
      return assertThere(args.find((arg) => !arg.startsWith('-')));
    case 'helm':
      return checkHelm(args);
    case 'sed':
      return assertThere(args.at(-1));
    case 'curl':
    case 'echo':
    case 'export':
    case '.':
      return;
    default:
      assert.fail(`nobody has looked at: ${command}`);
  }
}

/** Options and arguments are those of the command. */
async function checkMillrace([name, ...args]: readonly string[]): Promise<void> {
  const entry = commands.find((known) => known.name === name);
  assert.ok(entry, `millrace ${name ?? ''}`);
  const command = (await entry.load()).exitOverride();
  const { operands, unknown } = command.parseOptions([...args]);
  assert.deepEqual(unknown, [], `options of millrace ${entry.name}`);
  const { registeredArguments } = command;
  assert.ok(operands.length <= registeredArguments.length, `millrace ${entry.name} takes no ${operands.join(' ')}`);
  const wanted = registeredArguments.filter(({ required }) => required);
  assert.ok(
    operands.length >= wanted.length,
    `millrace ${entry.name} wants ${wanted.map((it) => it.name()).join(' ')}`,
  );
  for (const operand of operands) if (operand.includes('/')) assertThere(operand);
}

function checkNpm([verb, ...options]: readonly string[]): void {
  const name = options.find((option) => !option.startsWith('-')) ?? '';
  if (verb === 'run') assert.ok(name in scripts, `npm run ${name}`);
  else assert.ok(['start', 'test', 'install', 'pack'].includes(verb ?? ''), `npm ${verb ?? ''}`);
}

function checkKubectl(args: readonly string[]): void {
  const verbs = [
    'get',
    'describe',
    'apply',
    'patch',
    'wait',
    'delete',
    'create',
    'explain',
    'logs',
    'annotate',
    'exec',
  ];
  assert.ok(verbs.includes(args[0] ?? ''), `kubectl ${args.join(' ')}`);
  const file = args.indexOf('-f');
  if (file >= 0 && args[file + 1] !== '-') assertThere(args[file + 1]);
}

/** The chart is there, and so is each value that is set. */
function checkHelm(args: readonly string[]): void {
  assert.ok(args[0] === 'install' || args[0] === 'upgrade', args[0]);
  assertThere(args[2]);
  const [values] = parseAllDocuments(textOf(`${args[2] ?? ''}/values.yaml`));
  for (const [index, arg] of args.entries()) {
    if (arg !== '--set') continue;
    const [path = ''] = (args[index + 1] ?? '').split('=');
    assert.ok(values?.hasIn(path.split('.')), path);
  }
}

function assertThere(file: string | undefined): void {
  assert.ok(
    file !== undefined && (file === 'my.yaml' || file === 'my-pipeline.yaml' || existsSync(join(root, file))),
    file,
  );
}

/** In a sentence a command may stand without its arguments, or with a placeholder. */
async function checkMention(command: string): Promise<void> {
  const [program, name = '', ...more] = command.split(/\s+/);
  if (program === 'npm') return checkNpm([name, ...more]);
  const isShort = more.length === 0 || /[{|<…]/.test(command);
  if (isShort)
    assert.ok(
      commands.some((known) => known.name === name),
      command,
    );
  else await checkMillrace([name, ...more]);
}

/** Names of ours have an underscore; what makes the tables has them, too. */
function checkSql(text: string): void {
  const made = trackedFiles('connectors/postgres/*.ts').map(textOf).join('\n');
  const unknown = (text.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []).filter((name) => !made.includes(name));
  assert.deepEqual(unknown, []);
}

function checkYaml(text: string, file: string): void {
  for (const document of parseAllDocuments(text)) {
    assert.deepEqual(document.errors, []);
    // Values of the chart.
    if (document.has('api')) valuesSchema.parse(document.toJS());
    if (document.get('kind') === 'Pipeline') assert.deepEqual(lintText(document.toString(), file), []);
  }
}
