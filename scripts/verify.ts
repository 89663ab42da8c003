/**
 * `npm run verify`: everything that can be checked without a server: format, lint, types, generated files, unit
 * tests.
 */
import { unitTests } from './test-files.ts';
import { runSteps } from './run-steps.ts';

const failed = await runSteps([
  { name: 'format', command: 'prettier', args: ['--check', '--log-level', 'warn', '.'] },
  { name: 'lint', command: 'eslint', args: ['.'] },
  { name: 'types', command: 'tsc', args: ['-p', '.'] },
  { name: 'generated files', command: process.execPath, args: ['scripts/generate.ts', '--check'] },
  { name: 'unit tests', command: 'mocha', args: [unitTests] },
]);
if (failed.length > 0) {
  process.stderr.write(`\nNot in order: ${failed.join(', ')}.\n`);
  process.exitCode = 1;
}
