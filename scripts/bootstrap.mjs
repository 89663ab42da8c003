/**
 * From a clean clone to a running command, with Node 20 or later as the only thing installed.
 *
 *     node scripts/bootstrap.mjs <script.ts> [arguments…]
 *
 * Plain JavaScript, because the Node that starts it may not run TypeScript. It installs the dependencies when they are
 * missing or not those of package-lock.json, then hands over to the Node 24 among them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const lockFile = join(root, 'package-lock.json');
/** The package-lock.json to which the installed dependencies belong. */
const stamp = join(modules, '.millrace-lock');
const node24 = join(modules, 'node', 'bin', 'node');

const oldestNode = 20;

function main() {
  if (major(process.versions.node) < oldestNode) {
    fail(`Millrace needs Node ${oldestNode} or later; this is ${process.versions.node}.`);
  }
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  if (!isInstalled(wanted)) install();
  if (read(stamp) !== wanted) writeFileSync(stamp, wanted);
  handOver(nodeCommand(), process.argv.slice(2));
}

/**
 * By the stamp; without one (somebody ran npm by hand) by npm's own record, which must not be older than the lock
 * file.
 */
function isInstalled(wanted) {
  if (!existsSync(node24)) return false;
  const found = read(stamp);
  if (found !== undefined) return found === wanted;
  const record = join(modules, '.package-lock.json');
  return existsSync(record) && statSync(record).mtimeMs >= statSync(lockFile).mtimeMs;
}

function install() {
  const startedAt = Date.now();
  process.stderr.write('Installing dependencies …\n');
  const clean = npm('ci');
  if (clean.stderr?.includes('code EUSAGE')) {
    // A lock file lacks optional packages of other platforms if the registry from which it was created did not have
    // them. `ci` refuses it although none of them is needed here; `install` uses the same versions for everything
    // else.
    process.stderr.write('package-lock.json lacks packages of other platforms; installing what this one needs …\n');
    check(npm('install', '--no-save'));
  } else {
    check(clean);
  }
  process.stderr.write(`Dependencies installed (${((Date.now() - startedAt) / 1_000).toFixed(0)} s)\n`);
}

function npm(command, ...more) {
  // At level error npm does not warn that packages want a newer Node than this one: they get it.
  const args = [command, ...more, '--no-audit', '--no-fund', '--loglevel=error'];
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', maxBuffer: 2 ** 26 };
  const own = process.env.npm_execpath;
  return own?.endsWith('.js') ? spawnSync(process.execPath, [own, ...args], options) : spawnSync('npm', args, options);
}

function check(done) {
  if (done.error) fail(`npm could not be started: ${done.error.message}`);
  if (done.status !== 0) fail(`${done.stderr.trimEnd()}\nnpm ended with ${done.signal ?? `code ${done.status}`}.`);
}

/** The Node among the dependencies; an install script, which npm may be told not to run, puts its executable there. */
function nodeCommand() {
  if (spawnSync(node24, ['--version']).status === 0) return node24;
  if (major(process.versions.node) >= 24) return process.execPath;
  return fail(`${node24} does not run. Allow install scripts and run \`npm rebuild node\`, or use Node 24 or later.`);
}

/** Ends as the command ends; signals are passed on to it, including those sent only to this process. */
function handOver(node, args) {
  const path = [dirname(node), join(modules, '.bin'), process.env.PATH ?? ''].join(delimiter);
  const child = spawn(node, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => fail(`${node} could not be started: ${error.message}`));
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function major(version) {
  return Number.parseInt(version, 10);
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

main();
