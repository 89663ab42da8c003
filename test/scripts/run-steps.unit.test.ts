import { deepStrictEqual } from 'node:assert/strict';
import { run, runBeside } from '../../scripts/run-steps.ts';

const node = (name: string, code: string) => ({ name, command: process.execPath, args: ['-e', code] });

describe('commands beside each other', () => {
  it('are all run, and those that fail are named', async () => {
    const steps = [node('a', 'process.exit(1)'), node('b', ''), node('c', 'process.kill(process.pid, "SIGKILL")')];
    let printed = '';
    const failed = await runBeside(steps, 2, (text) => (printed += text));
    deepStrictEqual(failed.toSorted(), ['a', 'c']);
    deepStrictEqual(printed.replaceAll(/\(.*\)/g, '').split(' \n'), ['FAILED a', 'ok     b', 'FAILED c', '']);
  });

  it('what a command prints last is not lost', async () => {
    let printed = '';
    await run(process.execPath, ['-e', 'process.stdout.write("x".repeat(1e6) + "end")'], (text) => (printed += text));
    deepStrictEqual([printed.length, printed.slice(-3)], [1_000_003, 'end']);
  });
});
