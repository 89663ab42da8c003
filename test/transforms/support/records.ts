/** What tests of transforms share. */
import type { RecordMeta, RecordObject } from '../../../model/value.ts';
import { decodeRecord } from '../../../transforms/json.ts';

export const meta: RecordMeta = {
  source: 'orders',
  topic: 'orders',
  partition: 3,
  offset: 42n,
  key: 'k1',
  headers: { h: 'v' },
  timestamp: Date.UTC(2026, 0, 1),
};

export function decode(text: string): RecordObject {
  const bytes = Buffer.from(text);
  return decodeRecord(bytes, 0, bytes.length);
}
