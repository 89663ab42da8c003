/** A preStop hook: exec, httpGet or sleep. It never takes longer than the grace period. */
import { setTimeout as delay } from 'node:timers/promises';
import { problemOf } from '../../model/errors.ts';
import { execAttempt, httpAttempt, type Outcome, type ProbeTarget } from './probe-action.ts';
import type { Handler } from './pod.ts';

export async function runHook(hook: Handler, target: ProbeTarget, graceMs: number): Promise<Outcome> {
  try {
    if (hook.exec) return await execAttempt(await target.command(hook.exec.command), graceMs);
    if (hook.httpGet) return await httpAttempt(hook.httpGet, target, graceMs);
    if (hook.sleep) await delay(Math.min(hook.sleep.seconds * 1000, graceMs));
    return { result: 'success' };
  } catch (error) {
    return { result: 'failure', problem: problemOf(error) };
  }
}
