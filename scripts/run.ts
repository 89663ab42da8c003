/** Runs a command of the dependencies: `node scripts/bootstrap.mjs scripts/run.ts eslint .` */
import { run } from './run-steps.ts';

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new RangeError('name a command');
process.exitCode = await run(command, args);
