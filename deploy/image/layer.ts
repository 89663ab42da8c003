/**
 * One layer of the image: a compressed tar.
 *
 * Built twice it has the same bytes: entries in the order of their paths, owned by root, without times, each directory
 * written before what is in it.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { modeOf, type Entry } from './entry.ts';

export interface Blob {
  readonly bytes: Uint8Array;
  /** `sha256:…`. */
  readonly digest: string;
}

export interface Layer extends Blob {
  /** Of the tar before it was compressed. */
  readonly diffId: string;
  /** Bytes of the tar before it was compressed. */
  readonly size: number;
  /** What it brings, for `docker history`. */
  readonly createdBy: string;
}

export async function makeLayer(createdBy: string, entries: readonly Entry[]): Promise<Layer> {
  const tar = await tarOf(entries);
  const blob = blobOf(await promisify(gzip)(tar));
  return { ...blob, diffId: digestOf(tar), size: tar.length, createdBy };
}

export function blobOf(bytes: Uint8Array): Blob {
  return { bytes, digest: digestOf(bytes) };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const start = new Date(0);

async function tarOf(entries: readonly Entry[]): Promise<Uint8Array> {
  const tar = pack();
  const all = buffer(tar);
  for (const entry of withParents(entries)) {
    const about = { name: entry.path, mode: modeOf(entry), mtime: start, uid: 0, gid: 0 } as const;
    switch (entry.kind) {
      case 'directory':
        tar.entry({ ...about, type: 'directory' });
        break;
      case 'link':
        tar.entry({ ...about, type: 'symlink', linkname: entry.to });
        break;
      case 'file':
        tar.entry(about, await readFile(entry.from));
        break;
      case 'text':
        tar.entry(about, entry.text);
    }
  }
  tar.finalize();
  return all;
}

/** By path, with the directories that are not named themselves. */
export function withParents(entries: readonly Entry[]): Entry[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries)
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent))
      if (!byPath.has(parent)) byPath.set(parent, { kind: 'directory', path: parent, mode: 0o755 });
  // A directory's path is the start of the paths of what is in it, so it comes first.
  return [...byPath.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
}
