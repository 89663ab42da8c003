/**
 * Ends what a stack left behind whose supervisor died: the processes of its record that are still the same ones.
 *
 * In the order of a proper stop, and with its signals, so that the node ends its pods and nats-server writes its state.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isSameProcess, signalProcess, type ProcessIdentity } from '../process-identity.ts';
import type { StackRecord } from './record.ts';

const pollMs = 50;

/** Names of what was ended. */
export async function endLeftovers(record: StackRecord, graceMs: (part: string) => number): Promise<readonly string[]> {
  const ended: string[] = [];
  // One after the other, last started first: each may still need the ones that were started before it.
  for (const part of record.parts.toReversed()) {
    if (part.process && (await endGroup(part.process, graceMs(part.name)))) ended.push(part.name);
  }
  return ended;
}

async function endGroup(leader: ProcessIdentity, graceMs: number): Promise<boolean> {
  if (!(await signalProcess(leader, 'SIGTERM', 'group'))) return false;
  if (!(await isGone(leader, graceMs))) {
    await signalProcess(leader, 'SIGKILL', 'group');
    await isGone(leader, graceMs);
  }
  return true;
}

async function isGone(leader: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (await isSameProcess(leader)) {
    if (Date.now() > deadline) return false;
    await delay(pollMs);
  }
  return true;
}
