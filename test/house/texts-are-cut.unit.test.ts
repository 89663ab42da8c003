import { deepEqual } from 'node:assert/strict';
import { codeOf, ourFiles } from './sources.ts';

/** The beginning of something to be shown: up to a named limit, or up to some dozens. */
const beginning = /(\S*)\.slice\(0, (?:max|most|longest|shown|\d{2,})[\w -]*\)/g;

/** Hashes, times, lists and bytes. */
const noText =
  /digest\('hex'\)$|[hH]ash\w*\(?.*$|toISOString\(\)$|randomUUID\(\)$|null\)$|^$|\b(?:byCode|from|full|items|left|keys\(\)\]|rest)$/;

describe('texts for people and stores', () => {
  it('are cut by `cut` of model/text.ts, which does not cut within a character', () => {
    const found = ourFiles()
      .filter((file) => file !== 'model/text.ts')
      .flatMap((file) =>
        [...codeOf(file).matchAll(beginning)]
          .filter(([, what = '']) => !noText.test(what))
          .map(([code]) => `${file}: ${code}`),
      );
    deepEqual(found, []);
  });
});
