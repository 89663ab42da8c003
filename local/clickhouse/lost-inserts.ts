/**
 * Removes the tokens of inserts that were never stored.
 *
 * A plain MergeTree table writes the token of an insert into its deduplication log before the part becomes visible.
 * After a kill between the two (about one in a hundred kills during an insert), the engine would drop the repetition
 * of an insert whose rows it does not have. So before the engine opens its data, entries without a part are removed
 * from the logs.
 *
 * L1  An entry stays when some part on disk covers its block number, merged ones included.
 * L2  A log is replaced whole or left alone.
 *
 * Must run before every start: the next insert takes the block number of the lost one, and its part would then cover
 * the lost entry.
 */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError } from '../../model/system-error.ts';

interface Blocks {
  readonly partition: string;
  readonly min: number;
  readonly max: number;
}

/** Returns how many tokens were removed. */
export async function forgetLostInserts(dataDir: string): Promise<number> {
  let forgotten = 0;
  for (const prefix of await entriesOf(join(dataDir, 'store'))) {
    for (const table of await entriesOf(join(dataDir, 'store', prefix))) {
      forgotten += await repairTable(join(dataDir, 'store', prefix, table));
    }
  }
  return forgotten;
}

async function repairTable(table: string): Promise<number> {
  const logs = join(table, 'deduplication_logs');
  const files = await entriesOf(logs);
  if (files.length === 0) return 0;
  const parts = (await entriesOf(table)).flatMap((name) => partBlocks(name) ?? []);
  let forgotten = 0;
  for (const file of files) {
    const path = join(logs, file);
    const text = await readFile(path, 'utf8');
    const { kept, lost } = withoutLost(text, parts);
    if (lost === 0) continue;
    await writeFile(`${path}.repaired`, kept);
    await rename(`${path}.repaired`, path);
    forgotten += lost;
  }
  return forgotten;
}

/** A line is `<operation> TAB <part> TAB <id of the block>`; operation 1 adds. */
function withoutLost(text: string, parts: readonly Blocks[]): { kept: string; lost: number } {
  const lines = text.split('\n');
  const kept = lines.filter((line) => {
    const [operation, part] = line.split('\t');
    const blocks = operation === '1' && part !== undefined ? partBlocks(part) : null;
    return blocks === null || parts.some((stored) => covers(stored, blocks));
  });
  return { kept: kept.join('\n'), lost: lines.length - kept.length };
}

function covers(stored: Blocks, wanted: Blocks): boolean {
  return stored.partition === wanted.partition && stored.min <= wanted.min && wanted.max <= stored.max;
}

/** `<partition>_<first block>_<last block>_<level>`, followed by the mutation's number if there was one. */
function partBlocks(name: string): Blocks | null {
  const [, partition, min, max] = /^([^_]+)_([0-9]+)_([0-9]+)_[0-9]+(?:_[0-9]+)?$/.exec(name) ?? [];
  return partition === undefined ? null : { partition, min: Number(min), max: Number(max) };
}

async function entriesOf(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
