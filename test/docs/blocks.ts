/** What a document tells its reader to type: the code blocks of Markdown files, and the headers of the examples. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface Block {
  readonly file: string;
  readonly line: number;
  /** `sh`, `yaml`, `ts`; empty when the block does not say. */
  readonly language: string;
  readonly text: string;
}

export function trackedFiles(...patterns: readonly string[]): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...patterns], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed.split('\n').filter((file) => file !== '');
}

export function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** The fenced blocks of a Markdown file. */
export function blocksOf(file: string): readonly Block[] {
  const text = textOf(file);
  return [...text.matchAll(/^```([a-z]*)\n([\s\S]*?)^```$/gm)].map(({ 1: language = '', 2: block = '', index }) => ({
    file,
    line: text.slice(0, index).split('\n').length,
    language,
    text: block,
  }));
}

/** The commands in the comment at the head of an example: the lines that are indented by three. */
export function headerCommands(file: string): string {
  const [header = ''] = /^(#.*\n)+/.exec(textOf(file)) ?? [];
  return header
    .split('\n')
    .flatMap((line) => /^# {3}(.*)$/.exec(line)?.[1] ?? [])
    .join('\n');
}

/** The commands of a script, each on one line and without its comment. */
export function commandsIn(script: string): readonly string[] {
  return script
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}
