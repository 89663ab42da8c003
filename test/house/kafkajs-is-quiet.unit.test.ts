import { deepEqual } from 'node:assert/strict';
import { allFiles, codeOf } from './sources.ts';

/** What has connections; not its types, and not its encoders. */
const loadsKafkajs = /^import (?!type )[^;]* from 'kafkajs(?:'|\/src\/(?:broker|network)\/)/m;

describe('whoever loads kafkajs', () => {
  it('loads quiet-timers.ts, so that Node does not warn of negative times', () => {
    const found = allFiles()
      .map((file) => ({ file, code: codeOf(file) }))
      .filter(({ file, code }) => loadsKafkajs.test(code) && !file.endsWith('/quiet-timers.ts'))
      .filter(({ code }) => !code.includes('/quiet-timers.ts'));
    deepEqual(
      found.map(({ file }) => file),
      [],
    );
  });
});
