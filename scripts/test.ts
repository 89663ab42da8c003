/**
 * `npm test [-- MOCHA ARGUMENTS]`: all tests, or those that the arguments name.
 *
 * The binaries of the local stack are made first, so that no test waits for them or times out over them.
 */
import { binaryVersions, resolveBinaries, type BinaryName } from '../deploy/local/binaries/resolve.ts';
import { progressTo } from '../deploy/local/progress.ts';
import { run } from './run-steps.ts';
import { allTests } from './test-files.ts';

const isBinary = (name: string): name is BinaryName => name in binaryVersions;
await resolveBinaries(Object.keys(binaryVersions).filter(isBinary), { progress: progressTo(process.stderr) });
const args = process.argv.slice(2);
const namesFiles = args.some((arg) => arg.endsWith('.ts'));
process.exitCode = await run('mocha', [...(namesFiles ? [] : [allTests]), ...args]);
