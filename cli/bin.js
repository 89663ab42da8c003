#!/usr/bin/env node
/**
 * The `millrace` bin. Plain JavaScript, because the Node that starts it may be as old as 20: it only looks for a
 * Node 24 (this one, else the `node` package among the dependencies) and hands over to millrace.ts, or to what was
 * built from it: a package has no TypeScript, the repository's is never older than what was built.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = new URL('./millrace.ts', import.meta.url);
const program = existsSync(source) ? source : new URL('../dist/cli/millrace.js', import.meta.url);

if (Number.parseInt(process.versions.node, 10) >= 24) {
  keepCompiled();
  const { main } = await import(program.href);
  await main(process.argv.slice(2));
} else {
  handOver(node24());
}

/** Loading files is most of what a short command costs. Where there is no home to write to, nothing is kept. */
function keepCompiled() {
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
  if (cache || home) module.enableCompileCache(join(cache || join(home, '.cache'), 'millrace', 'compiled'));
}

function node24() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
  } catch {
    process.stderr.write(
      `millrace needs Node 24 or newer; this is ${process.versions.node}. Install it, or run \`npm install node@24\` beside millrace.\n`,
    );
    process.exit(1);
  }
}

function handOver(node) {
  const child = spawn(node, [fileURLToPath(program), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    process.stderr.write(`millrace cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === 'SIGINT' ? 2 : 15);
  });
}
