import { deepEqual } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What would make a run depend on the machine's time or luck. Comments are left out before it is looked for. */
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

/** `except`: where the real ones are handed in, as a file of the folder. */
const folders: readonly { readonly folder: string; readonly except: readonly string[] }[] = [
  { folder: 'stream', except: ['clock.ts'] },
  // The identity of a process must be new each time; the deadline of a request to Temporal is for gRPC.
  { folder: 'workers/controller', except: ['main.ts', 'config.ts', 'engine.ts'] },
];

for (const { folder, except } of folders) {
  describe(`${folder}/`, () => {
    it(`takes time and randomness from what is injected, but for ${except.join(', ')}`, () => {
      const found = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && !except.includes(file))
        .flatMap((file) => {
          const code = readFileSync(join(root, folder, file), 'utf8')
            .replaceAll(/\/\*[\s\S]*?\*\//g, '')
            .replaceAll(/\/\/.*$/gm, '');
          return forbidden.filter((pattern) => pattern.test(code)).map((pattern) => `${file}: ${pattern.source}`);
        });
      deepEqual(found, []);
    });
  });
}
