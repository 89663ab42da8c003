/** What expressions can see besides the record: the fields of `meta`, as CEL values. */
import type { RecordMeta } from '../../model/value.ts';

export const metaFields: ReadonlyMap<string, (meta: RecordMeta) => unknown> = new Map<
  string,
  (meta: RecordMeta) => unknown
>([
  ['source', (meta) => meta.source],
  ['topic', (meta) => meta.topic],
  ['partition', (meta) => (meta.partition === null ? null : BigInt(meta.partition))],
  ['offset', (meta) => meta.offset],
  ['key', (meta) => meta.key],
  ['headers', (meta) => meta.headers],
  ['timestamp', (meta) => new Date(meta.timestamp)],
]);

/** `meta` as one CEL map. Fields are evaluated when read: a key that is not text is refused only then. */
export function metaValue(meta: RecordMeta): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [name, read] of metaFields) {
    Object.defineProperty(value, name, { get: () => read(meta), enumerable: true });
  }
  return value;
}
