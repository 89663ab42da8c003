import { deepEqual } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The adapter, the connection under it, and the one place that knows the client's errors. */
const mayKnowTheClient = ['connection.ts', 'jetstream-errors.ts', 'nats-port.ts'];

describe('stream/', () => {
  it('speaks to NATS through jetstream-port.ts alone, so that the simulation can stand in its place', () => {
    const found = readdirSync(join(root, 'stream'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !mayKnowTheClient.includes(file))
      .filter((file) => {
        const code = readFileSync(join(root, 'stream', file), 'utf8').replaceAll(/^import { nanos } .*$/gm, '');
        return /from '@nats-io\/transport-node'|\.jsm\b|\.nc\b/.test(code);
      });
    deepEqual(found, []);
  });
});
