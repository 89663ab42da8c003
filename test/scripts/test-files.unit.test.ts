import { deepStrictEqual } from 'node:assert/strict';
import { globSync } from 'node:fs';
import { allTests, faults, testGroups } from '../../scripts/test-files.ts';

describe('the groups of tests', () => {
  it('have each test file once', () => {
    const inGroups = [...testGroups, faults].flatMap(({ files, except }) =>
      globSync([...files], { exclude: [...except] }),
    );
    deepStrictEqual(inGroups.toSorted(), globSync(allTests).toSorted());
  });

  it('are none of them empty', () => {
    const empty = [...testGroups, faults].filter(({ files }) =>
      files.some((pattern) => globSync(pattern).length === 0),
    );
    deepStrictEqual(empty, []);
  });
});
