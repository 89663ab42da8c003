/** A file of pipelines, or standard input, as text. */
import { readFile } from 'node:fs/promises';
import { buffer as readAll } from 'node:stream/consumers';
import { documentText } from '../crds/document-text.ts';
import { problemOf } from '../model/errors.ts';
import { CommandFailed, exitCodes } from './exit.ts';

export interface NamedText {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

/** `-`: standard input. A file that is not text ends the command: replacing its bytes would change its content. */
export async function readDocument(path: string): Promise<NamedText> {
  const name = path === '-' ? '<stdin>' : path;
  const read = documentText(await bytesOf(path));
  if (read.is === 'text') return { name, text: read.text };
  throw new CommandFailed(exitCodes.invalidConfig, `${name}:${read.line}:${read.column}: ${read.problem}`);
}

async function bytesOf(path: string): Promise<Uint8Array> {
  if (path === '-') return readAll(process.stdin);
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

export function unreadable(path: string, error: unknown): CommandFailed {
  return new CommandFailed(exitCodes.usage, `${path} cannot be read: ${problemOf(error)}`, { cause: error });
}
