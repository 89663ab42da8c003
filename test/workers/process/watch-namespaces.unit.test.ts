import { deepEqual, throws } from 'node:assert/strict';
import { z } from 'zod';
import { readEnvironment } from '../../../workers/process/environment.ts';
import { watchNamespaces } from '../../../workers/process/watch-namespaces.ts';

const read = (value: string | undefined) =>
  readEnvironment(z.object(watchNamespaces), { MILLRACE_WATCH_NAMESPACES: value }).MILLRACE_WATCH_NAMESPACES;

describe('MILLRACE_WATCH_NAMESPACES', () => {
  it('names namespaces, each once, or none for all', () => {
    deepEqual(read('shop,billing,shop'), ['shop', 'billing']);
    deepEqual(read(''), []);
    deepEqual(read(undefined), []);
  });

  it('refuses what cannot be a namespace', () => {
    for (const value of ['shop,', 'Shop', 'a b', '*', '-a'])
      throws(() => read(value), /MILLRACE_WATCH_NAMESPACES cannot be used: it must be names of namespaces/);
  });
});
