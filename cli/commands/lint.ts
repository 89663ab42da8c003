/**
 * `millrace lint FILE…`: checks pipelines without a cluster. Exit code 4 when there is an error.
 *
 * A folder stands for the YAML and JSON files below it that hold a Millrace resource; a file that is named is always
 * checked. Never loads the Kubernetes client, so it starts fast enough for an editor.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { lintFile } from '../../crds/lint.ts';
import { group } from '../../model/names.ts';
import { readDocument, unreadable, type NamedText } from '../document.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { formats, lintReport, lintSummary, type Format, type LintedFile } from '../lint-report.ts';
import { print, say } from '../output.ts';

interface Options {
  readonly output: Format;
  readonly denyWarnings: boolean;
}

export function lintCommand(): Command {
  return new Command('lint')
    .description('Check pipelines in files without a cluster.')
    .argument('<file...>', 'YAML or JSON files, folders of them, or - for standard input')
    .addOption(new Option('-o, --output <format>', 'how issues are written').choices(formats).default('pretty'))
    .option('--deny-warnings', 'fail for warnings, too', false)
    .action(async (paths: string[], options: Options) => {
      const files = await lintPaths(paths);
      print(lintReport(files, options.output));
      const issues = files.flatMap((file) => file.issues);
      const isRefused = issues.some(({ severity }) => severity === 'error' || options.denyWarnings);
      if (isRefused) throw new CommandFailed(exitCodes.invalidConfig, lintSummary(files));
      if (options.output === 'pretty') say(lintSummary(files));
    });
}

async function lintPaths(paths: readonly string[]): Promise<readonly LintedFile[]> {
  const files: LintedFile[] = [];
  // In the given order, so that two runs print the same.
  for (const path of paths) {
    if (path !== '-' && (await isFolder(path))) files.push(...(await lintFolder(path)));
    else files.push(linted(await readDocument(path)));
  }
  return files;
}

async function lintFolder(folder: string): Promise<readonly LintedFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter(
      (entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name) && !/node_modules|\/\./.test(entry.parentPath),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const files: LintedFile[] = [];
  for (const path of paths) {
    // A folder may hold other files: only those with a pipeline must be text.
    if (!holdsPipeline.test(await readFile(path, 'utf8'))) continue;
    files.push(linted(await readDocument(path)));
  }
  return files;
}

const holdsPipeline = new RegExp(`["']?apiVersion["']?\\s*:\\s*["']?${group.replace('.', '\\.')}/`);

function linted({ name, text }: NamedText): LintedFile {
  return { name, ...lintFile(text, name) };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw unreadable(path, error);
  }
}
