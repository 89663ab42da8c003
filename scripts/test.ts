/**
 * `npm test [-- MOCHA ARGUMENTS]`: all tests, or those that the arguments name.
 *
 * The binaries of the local stack are obtained first, so that no test waits for them or times out. Most tests wait
 * for servers most of the time, so groups of them run at the same time; a minute of random faults runs last, by
 * itself. Each group is a mocha of its own, because its files share servers.
 */
import { availableParallelism } from 'node:os';
import { ofRealNode } from '../local/binaries/catalog.ts';
import { binaryVersions, resolveBinaries, type BinaryName } from '../local/binaries/resolve.ts';
import { progressTo } from '../local/progress.ts';
import { runBeside, runSteps } from './run-steps.ts';
import { faults, testGroups, type TestGroup } from './test-files.ts';

/** A third set of servers would take more memory than it saves time. */
const mostAtOnce = 2;

const isBinary = (name: string): name is BinaryName => name in binaryVersions && !ofRealNode.has(name);
await resolveBinaries(Object.keys(binaryVersions).filter(isBinary), { progress: progressTo(process.stderr) });
const args = process.argv.slice(2);
const mocha = (name: string, ...more: string[]) => ({ name, command: 'mocha', args: [...more, ...args] });
const ofGroup = ({ name, files, except }: TestGroup) =>
  mocha(name, ...files, ...except.flatMap((pattern) => ['--ignore', pattern]));
const failed = args.some((arg) => arg.endsWith('.ts'))
  ? await runSteps([mocha('tests')])
  : [
      ...(await runBeside(testGroups.map(ofGroup), Math.min(mostAtOnce, availableParallelism()))),
      ...(await runSteps([ofGroup(faults)])),
    ];
if (failed.length > 0) process.exitCode = 1;
