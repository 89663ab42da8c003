import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { print } from '../../cli/output.ts';

const program = join(import.meta.dirname, '../../cli/millrace.ts');

function run(shell: string): { status: number | null; stderr: string } {
  const env = { ...process.env, NODE_OPTIONS: '', NODE: process.execPath, PROGRAM: program };
  return spawnSync('bash', ['-c', `set -o pipefail; ${shell}`], { env, encoding: 'utf8' });
}

describe('the output of a command', () => {
  for (const [isTTY, shown] of [
    [true, 'pod \\u001b[2Khidden\n'],
    [undefined, 'pod \u001b[2Khidden\n'],
  ] as const) {
    it(`O1: ${isTTY ? 'cannot move what a terminal shows' : 'is left as it is for another program'}`, () => {
      const written: string[] = [];
      print('pod \u001b[2Khidden\n', { isTTY, write: (text) => written.push(text) });
      assert.deepEqual(written, [shown]);
    });
  }

  it('that nobody reads ends it quietly', () => {
    const { status, stderr } = run('"$NODE" "$PROGRAM" --help | true');
    assert.deepEqual([status, stderr], [141, '']);
  });

  it('that cannot be written ends it with a sentence', () => {
    const { status, stderr } = run('"$NODE" "$PROGRAM" --help > /dev/full');
    assert.equal(status, 1);
    assert.match(stderr, /^The output cannot be written: .*ENOSPC.*\n$/);
  });
});
