/** One probe attempt, or one hook: httpGet, tcpSocket or exec, as in Kubernetes. */
import { spawn } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { problemOf } from '../../model/errors.ts';
import type { Command } from './instance.ts';
import type { Container, HttpGet, Probe } from './pod.ts';

export type Outcome = { readonly result: 'success' } | { readonly result: 'failure'; readonly problem: string };

export interface ProbeTarget {
  readonly container: Container;
  readonly podIP: string;
  /** An exec command with the container's paths, environment and directory. */
  readonly command: (argv: readonly string[]) => Promise<Command>;
}

export async function runProbe(probe: Probe, target: ProbeTarget): Promise<Outcome> {
  const timeoutMs = probe.timeoutSeconds * 1000;
  try {
    if (probe.httpGet) return await httpAttempt(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket) {
      const port = portOf(probe.tcpSocket.port, target.container);
      return await tcpAttempt(probe.tcpSocket.host ?? target.podIP, port, timeoutMs);
    }
    if (probe.exec) return await execAttempt(await target.command(probe.exec.command), timeoutMs);
    return { result: 'failure', problem: 'the local node probes by httpGet, tcpSocket and exec only' };
  } catch (error) {
    return { result: 'failure', problem: problemOf(error) };
  }
}

export function httpAttempt(get: HttpGet, target: ProbeTarget, timeoutMs: number): Promise<Outcome> {
  const isHttps = get.scheme.toUpperCase() === 'HTTPS';
  const host = get.host ?? target.podIP;
  const port = portOf(get.port, target.container);
  const path = get.path.startsWith('/') ? get.path : `/${get.path}`;
  const headers = Object.fromEntries(get.httpHeaders.map(({ name, value }) => [name, value]));
  return new Promise((resolve) => {
    const fail = (error: Error) =>
      resolve({
        result: 'failure',
        problem: `Get "${get.scheme.toLowerCase()}://${host}:${port}${path}": ${error.message}`,
      });
    const sent = (isHttps ? httpsRequest : httpRequest)(
      {
        host,
        port,
        path,
        agent: false,
        // As kubelet: a pod's certificate is not verified.
        ...(isHttps ? { rejectUnauthorized: false } : {}),
        headers: { 'user-agent': 'kube-probe/1.36', accept: '*/*', connection: 'close', ...headers },
        signal: AbortSignal.timeout(timeoutMs),
      },
      (answer) => {
        const status = answer.statusCode ?? 0;
        answer.resume();
        answer.on('error', fail);
        answer.on('end', () =>
          resolve(
            status >= 200 && status < 400
              ? { result: 'success' }
              : { result: 'failure', problem: `HTTP probe failed with statuscode: ${status}` },
          ),
        );
      },
    );
    sent.on('error', fail);
    sent.end();
  });
}

function tcpAttempt(host: string, port: number, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (outcome: Outcome) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => end({ result: 'success' }));
    socket.once('timeout', () => end({ result: 'failure', problem: `dial tcp ${host}:${port}: i/o timeout` }));
    socket.once('error', (error) => end({ result: 'failure', problem: `dial tcp ${host}:${port}: ${error.message}` }));
  });
}

const keptOutput = 1024;

/** Runs until its end or its timeout; no process of it is left. */
export function execAttempt(command: Command, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const [program = '', ...args] = command.argv;
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: command.cwd,
      env: Object.fromEntries(command.env),
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      if (output.length < keptOutput) output += chunk.toString('utf8');
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const killGroup = () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // ESRCH: the group has ended by itself.
      }
    };
    const timer = setTimeout(() => {
      killGroup();
      resolve({ result: 'failure', problem: `command timed out after ${timeoutMs / 1000}s` });
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ result: 'failure', problem: error.message });
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      killGroup();
      if (code === 0) resolve({ result: 'success' });
      else resolve({ result: 'failure', problem: `command exited with ${code ?? 'a signal'}: ${output.trim()}` });
    });
  });
}

/** A port by number, or by the name of a container port. */
function portOf(port: number | string, container: Container): number {
  if (typeof port === 'number') return port;
  const named = container.ports.find(({ name }) => name === port)?.containerPort ?? Number(port);
  if (!Number.isInteger(named)) throw new RangeError(`container ${container.name} has no port "${port}"`);
  return named;
}
