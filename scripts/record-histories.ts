/** `node scripts/record-histories.ts v0.2` before a release: stores the histories that later versions must replay. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [version = ''] = process.argv.slice(2);
if (!/^v\d+\.\d+$/.test(version)) {
  process.stderr.write('Name the version that is released, as v0.2.\n');
  process.exit(2);
}
const repository = fileURLToPath(new URL('..', import.meta.url));
// The recording is the first part of the replay test, so that what is stored has been replayed.
const { status } = spawnSync(process.execPath, ['node_modules/mocha/bin/mocha.js', 'test/workflows/replay.test.ts'], {
  cwd: repository,
  env: { ...process.env, MILLRACE_RECORD_HISTORIES: version },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
