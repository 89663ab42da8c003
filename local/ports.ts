/** TCP ports on loopback: free ones, and which process has one that is not. */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { isSystemError } from '../model/system-error.ts';

const run = promisify(execFile);

/**
 * Where free ports are searched: below the ports that systems use for outgoing connections (Linux from 32768, macOS and
 * Windows from 49152). So a server that dies gets its port back, whatever has connected meanwhile.
 */
const firstPort = 10_000;
const lastPort = 29_999;
const attempts = 100;

/** A port that nothing listens on now. Another process may take it before the caller does; the caller then says so. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = randomInt(firstPort, lastPort + 1);
    if (await isPortFree(port, host)) return port;
  }
  throw new TypeError('the system has no free port');
}

export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host, exclusive: true }, resolve);
    });
  } catch (error) {
    if (isSystemError(error, 'EADDRINUSE', 'EACCES')) return false;
    throw error;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** The process that listens on a port, described for a person: `process 812 (postgres)`. */
export async function portOwner(port: number): Promise<string> {
  const pid = process.platform === 'linux' ? await ownerOnLinux(port) : await ownerByLsof(port);
  return pid === undefined ? 'a process of another user' : `process ${pid} (${await commandOf(pid)})`;
}

/** Socket inodes that listen on the port, then the process with such a descriptor. */
async function ownerOnLinux(port: number): Promise<number | undefined> {
  const inodes = new Set([
    ...(await listenersIn('/proc/net/tcp', port)),
    ...(await listenersIn('/proc/net/tcp6', port)),
  ]);
  if (inodes.size === 0) return undefined;
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  for (const pid of pids) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
      if (inodes.has(target)) return Number(pid);
    }
  }
  return undefined;
}

async function listenersIn(table: string, port: number): Promise<readonly string[]> {
  const listening = '0A';
  const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => state === listening && parseInt(local.split(':')[1] ?? '', 16) === port)
    .map((fields) => `socket:[${fields[9] ?? ''}]`);
}

async function ownerByLsof(port: number): Promise<number | undefined> {
  try {
    const { stdout } = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']);
    const pid = Number(stdout.trim().split('\n')[0]);
    return pid > 0 ? pid : undefined;
  } catch {
    // lsof exits with 1 when it sees no listener, for example because it is another user's.
    return undefined;
  }
}

async function commandOf(pid: number): Promise<string> {
  if (process.platform === 'linux') return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'ended')).trim();
  const { stdout } = await run('ps', ['-o', 'comm=', '-p', String(pid)]).catch(() => ({ stdout: 'ended' }));
  return stdout.trim();
}
