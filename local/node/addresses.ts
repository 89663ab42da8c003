/**
 * One loopback address per pod.
 *
 * D1  An address belongs to one pod for as long as the pod exists, also across restarts of the node.
 * D2  A freed address is reused only after all others: a client that still holds it does not reach another pod.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { writeFileAtomic } from '../files.ts';

const stored = z.object({ next: z.number(), byPod: z.record(z.string(), z.string()) });

export interface AddressBook {
  /** The pod's address, the same at each call. */
  addressOf(podUid: string): Promise<string>;
  release(podUid: string): Promise<void>;
}

/**
 * On macOS only 127.0.0.1 is available without root: every pod gets it, and two pods with the same fixed port clash.
 */
export function sharedAddress(): AddressBook {
  return { addressOf: () => Promise.resolve('127.0.0.1'), release: () => Promise.resolve() };
}

export async function openAddressBook(file: string, cidr: string): Promise<AddressBook> {
  const network = parseNetwork(cidr);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const kept = text === undefined ? { next: 1, byPod: {} } : stored.parse(JSON.parse(text));
  const byPod = new Map(Object.entries(kept.byPod));
  let next = kept.next;
  let writes: Promise<void> = Promise.resolve();

  const save = () => {
    const content = JSON.stringify({ next, byPod: Object.fromEntries(byPod) });
    // In turn: two writers of one temporary file would corrupt it.
    writes = writes.catch(() => undefined).then(() => writeFileAtomic(file, content));
    return writes;
  };

  return {
    async addressOf(podUid) {
      const held = byPod.get(podUid);
      if (held !== undefined) return held;
      const taken = new Set(byPod.values());
      for (let tried = 0; tried < network.hosts; tried++) {
        const address = network.host(((next - 1 + tried) % network.hosts) + 1);
        if (taken.has(address)) continue;
        next = ((next + tried) % network.hosts) + 1;
        byPod.set(podUid, address);
        await save();
        return address;
      }
      throw mr('MR_PART_FAILED', { part: 'The local node', problem: `${cidr} has no free address`, log: file });
    },
    async release(podUid) {
      if (byPod.delete(podUid)) await save();
    },
  };
}

interface Hosts {
  readonly hosts: number;
  /** Host number 1 to `hosts`. */
  host(number: number): string;
}

/** Host numbers leave out those that end in .0 and .255, and the whole is bounded by /8 to /30. */
export function parseNetwork(cidr: string): Hosts {
  const match = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const [b, c, d, bits] = (match ?? []).slice(1).map(Number);
  if (b === undefined || c === undefined || d === undefined || bits === undefined || bits < 8 || bits > 30) {
    throw new RangeError(`pod network must be within 127.0.0.0/8, such as 127.77.0.0/16, but is "${cidr}"`);
  }
  const base = ((127 << 24) | (b << 16) | (c << 8) | d) & ~(2 ** (32 - bits) - 1);
  const usable = (n: number) => n % 256 !== 0 && n % 256 !== 255;
  const size = Math.min(2 ** (32 - bits), 65_536);
  const offsets = Array.from({ length: size }, (_, n) => n).filter((n) => usable((base & 255) + n));
  return {
    hosts: offsets.length,
    host(number) {
      const address = base + (offsets[number - 1] ?? 1);
      return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
    },
  };
}
