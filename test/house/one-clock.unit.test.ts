import { deepEqual } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What would make a run of `stream/` depend on the machine's time or luck. Comments are left out before it is looked for. */
const forbidden = [
  /\bset(?:Timeout|Interval|Immediate)\b/,
  /timers\/promises/,
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bperformance\b/,
  /\bhrtime\b/,
  /\bAbortSignal\.timeout\b/,
  /\bMath\.random\b/,
  /\brandomUUID\b/,
  /\brandomBytes\b/,
  /\bgetRandomValues\b/,
];

describe('stream/', () => {
  it('takes time and randomness from what is injected, and only clock.ts knows the real ones', () => {
    const found = readdirSync(join(root, 'stream'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && file !== 'clock.ts')
      .flatMap((file) => {
        const code = readFileSync(join(root, 'stream', file), 'utf8')
          .replaceAll(/\/\*[\s\S]*?\*\//g, '')
          .replaceAll(/\/\/.*$/gm, '');
        return forbidden.filter((pattern) => pattern.test(code)).map((pattern) => `${file}: ${pattern.source}`);
      });
    deepEqual(found, []);
  });
});
