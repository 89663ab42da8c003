/**
 * Credentials and certificates of a server, as files of one folder: a Secret that is mounted. A file that is not there is not
 * used; a folder that cannot be used throws MR_ACCESS_INVALID, which names the file and never what is in it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mr, problemOf } from '../../model/errors.ts';
import { isSystemError } from '../../model/system-error.ts';

export class AccessFolder {
  readonly path: string;
  /** For messages: `NATS`. */
  readonly #server: string;

  constructor(path: string, server: string) {
    this.path = path;
    this.#server = server;
  }

  /** The content; undefined: there is no such file. */
  read(name: string): string | undefined {
    try {
      return readFileSync(join(this.path, name), 'utf8');
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw this.invalid(`${name} cannot be read: ${problemOf(error)}`, error);
    }
  }

  /** Without the line break with which editors end a file. */
  readLine(name: string): string | undefined {
    return this.read(name)?.replace(/\r?\n$/, '');
  }

  has(name: string): boolean {
    return this.read(name) !== undefined;
  }

  /** Whether files that belong together are there: all or none. */
  hasAll(...names: readonly string[]): boolean {
    const found = names.filter((name) => this.has(name));
    const missing = names.filter((name) => !found.includes(name));
    if (found.length > 0 && missing.length > 0)
      throw this.invalid(`${found.join(', ')} is there, and ${missing.join(', ')}, which belongs to it, is not`);
    return found.length > 0;
  }

  invalid(problem: string, cause?: unknown): Error {
    return mr('MR_ACCESS_INVALID', { folder: this.path, server: this.#server, problem }, { cause });
  }
}
