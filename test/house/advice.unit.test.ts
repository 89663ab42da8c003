import { deepEqual, ok } from 'node:assert/strict';
import { commands } from '../../cli/commands.ts';
import { errorTable } from '../../model/errors.ts';
import { codeOf, ourFiles } from './sources.ts';

/** What people are told to do, and the command that must exist for it. */
const needsCommand: readonly (readonly [word: RegExp, command: string])[] = [[/\breplay/gi, 'replay']];

describe('what a message tells a person to do', () => {
  const names = commands.map(({ name }) => name);

  for (const [word, command] of needsCommand) {
    it(`does not include "${command}" while there is no such command`, () => {
      if (names.includes(command)) return;
      // In what runs in workflows it is Temporal's word.
      const files = ourFiles().filter((file) => !/^(?:workflows|scripts)\//.test(file));
      deepEqual(
        files.filter((file) => codeOf(file).search(word) >= 0),
        [],
      );
    });
  }

  const mentions = Object.entries(errorTable).flatMap(([code, { fix }]) =>
    [...fix.matchAll(/`millrace ([a-z]+)/g)].map(([, name = '']) => [code, name] as const),
  );
  for (const [code, name] of mentions) {
    it(`${code} names a command that exists: millrace ${name}`, () => {
      ok(names.includes(name));
    });
  }
});
