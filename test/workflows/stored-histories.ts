/**
 * Histories of released versions, in `./histories/<version>/`: what runs of those versions hold when a newer worker takes
 * them over. Written by `node scripts/record-histories.ts <version>` from the released build, and never changed.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { z } from 'zod';
import type { Recorded } from './whole-cycle.ts';

const root = new URL('./histories/', import.meta.url);

export interface StoredHistory {
  /** `v0.1/3-repair-g2`. */
  readonly name: string;
  readonly workflowId: string;
  readonly history: unknown;
}

const fileSchema = z.object({ workflowId: z.string(), history: z.unknown() });

export async function storedHistories(): Promise<StoredHistory[]> {
  const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(
    files.map(async (file) => {
      const stored = fileSchema.parse(JSON.parse(await readFile(new URL(file, root), 'utf8')));
      return { name: file.replace(/\.json$/, ''), ...stored };
    }),
  );
}

/** Host and sentences are left out. `sdkMetadata` must stay: without its flags a replay compares less. */
const dropped = new Set(['identity', 'userMetadata', 'workerVersion', 'meteringMetadata']);

export async function storeHistories(version: string, recorded: readonly Recorded[]): Promise<void> {
  const dir = new URL(`${version}/`, root);
  await mkdir(dir, { recursive: true });
  for (const { name, id, history } of recorded) {
    const text = historyToJSON(history).replaceAll(hostname(), 'host');
    const kept: unknown = JSON.parse(text, (key, value: unknown) => (dropped.has(key) ? undefined : value));
    const small = JSON.stringify({ workflowId: id, history: kept });
    await writeFile(new URL(`${name}.json`, dir), `${small}\n`);
  }
}
