import { deepEqual } from 'node:assert/strict';
import { connectors } from '../../connectors/registry.ts';
import { transforms } from '../../transforms/registry.ts';
import { codeOf, ourFiles } from './sources.ts';

const names = [...Object.keys(connectors), ...Object.keys(transforms)].join('|');
const asksForName = new RegExp(`(?:[!=]==|case) '(?:${names})'`);

describe('connectors and steps', () => {
  it('are known by name in their own folders only: what others must know of one, it says in the registry', () => {
    const found = ourFiles()
      .filter((file) => !/^(connectors|transforms|local|bench|examples)\//.test(file))
      .filter((file) => asksForName.test(codeOf(file)));
    deepEqual(found, []);
  });
});
