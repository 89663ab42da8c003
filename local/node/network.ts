/**
 * Which part of 127.0.0.0/8 this node gives to its pods.
 *
 * W1  No two live nodes on a machine share a network: each holds a file in the machine's temporary directory.
 * W2  A data directory keeps its network, so a pod that outlived the node keeps its address.
 *
 * A network belongs to its data directory even while that node is down, because its pods may still listen there; it is
 * free again when the directory is gone. When none is free, the networks of nodes that are not running are taken.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { identify, isSameProcess, processIdentitySchema } from '../process-identity.ts';

const first = 32;
const count = 200;
const writingTakesAtMostMs = 10_000;
const claim = z.object({ dataDir: z.string(), owner: processIdentitySchema });
type Claim = z.infer<typeof claim>;

export interface Network {
  /** `127.77.0.0/16` */
  readonly cidr: string;
  release(): Promise<void>;
}

/** Claims a network: the kept one if the data directory has one, else one chosen by the directory's name. */
export async function claimNetwork(dataDir: string, lockDir: string): Promise<Network> {
  const keptIn = join(dataDir, 'pod-network');
  const kept = Number((await readFile(keptIn, 'utf8').catch(() => '')).split('.')[1]);
  const preferred = kept || first + (createHash('sha256').update(dataDir).digest().readUInt32BE(0) % count);
  for (const mayTake of [isAbandoned, isStopped]) {
    for (let tried = 0; tried < count; tried++) {
      const second = first + ((preferred - first + tried) % count);
      const file = join(lockDir, `millrace-network-127.${second}.lock`);
      if (!(await take(file, dataDir, mayTake))) continue;
      const cidr = `127.${second}.0.0/16`;
      await writeFile(keptIn, cidr);
      return { cidr, release: () => rm(file, { force: true }) };
    }
  }
  throw mr('MR_PART_FAILED', {
    part: 'The local node',
    problem: 'no pod network in 127.32.0.0/11 and above is free',
    log: `the files millrace-network-* in ${lockDir}`,
  });
}

async function take(file: string, dataDir: string, mayTake: (claim: Claim) => Promise<boolean>): Promise<boolean> {
  const held = await readClaim(file);
  if (held && held.dataDir !== dataDir && !(await mayTake(held))) return false;
  if (held) await rm(file, { force: true });
  const owner = await identify(process.pid);
  try {
    const handle = await open(file, 'wx', 0o644);
    await handle.writeFile(JSON.stringify({ dataDir, owner } satisfies { dataDir: string; owner: unknown }));
    await handle.close();
    return true;
  } catch {
    // Another node was faster, or the file is another user's: try the next number.
    return false;
  }
}

async function readClaim(file: string): Promise<Claim | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return claim.parse(JSON.parse(text));
  } catch {
    // Being written now; or, when it is older, damaged, and then it belongs to nobody.
    const ageMs = Date.now() - ((await stat(file).catch(() => undefined))?.mtimeMs ?? 0);
    return { dataDir: ageMs < writingTakesAtMostMs ? '/' : '', owner: { pid: 1, startedAt: '' } };
  }
}

async function isAbandoned(held: Claim): Promise<boolean> {
  return !existsSync(held.dataDir) && !(await isSameProcess(held.owner));
}

async function isStopped(held: Claim): Promise<boolean> {
  return held.dataDir !== '/' && !(await isSameProcess(held.owner));
}
