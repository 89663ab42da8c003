/** `npm run e2e:node:short`: of the rows of `npm run e2e:node` those that continuous integration has time for. */
import { confinedPods } from './rows/confined.ts';
import { firstRows } from './rows/first-rows.ts';
import { install } from './rows/install.ts';
import { logs } from './rows/logs.ts';
import { onRealNode } from './support/suite.ts';

await onRealNode({
  title: 'a real node, in short',
  enforcesPolicies: false,
  rows: [...install, ...firstRows, ...confinedPods, ...logs],
});
