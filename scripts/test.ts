/**
 * `npm test [-- MOCHA ARGUMENTS]`: all tests, or those that the arguments name.
 *
 * The binaries of the local stack are made first, so that no test waits for them or times out over them. The end-to-end
 * tests run last and by themselves: they share one whole stack, which would take time from all tests after them. So do a
 * minute of random faults.
 */
import { binaryVersions, resolveBinaries, type BinaryName } from '../local/binaries/resolve.ts';
import { progressTo } from '../local/progress.ts';
import { runSteps } from './run-steps.ts';
import { allTests, endToEndTests, faultTests } from './test-files.ts';

const isBinary = (name: string): name is BinaryName => name in binaryVersions;
await resolveBinaries(Object.keys(binaryVersions).filter(isBinary), { progress: progressTo(process.stderr) });
const args = process.argv.slice(2);
const mocha = (name: string, ...more: string[]) => ({ name, command: 'mocha', args: [...more, ...args] });
const failed = await runSteps(
  args.some((arg) => arg.endsWith('.ts'))
    ? [mocha('tests')]
    : [
        mocha('tests', allTests, '--ignore', endToEndTests, '--ignore', faultTests),
        mocha('end-to-end tests', endToEndTests),
        mocha('faults', faultTests),
      ],
);
if (failed.length > 0) process.exitCode = 1;
