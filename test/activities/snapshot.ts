/** Compares a value with the file of its name; `UPDATE_SNAPSHOTS=1` writes the file anew. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';

const dir = new URL('./snapshots/', import.meta.url);

export function matchesSnapshot(name: string, objects: readonly object[]): void {
  const file = new URL(`${name}.yaml`, dir);
  const text = objects.map((object) => stringify(object)).join('---\n');
  if (process.env['UPDATE_SNAPSHOTS'] !== undefined) {
    mkdirSync(dir, { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, 'utf8'));
}
