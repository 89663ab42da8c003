import type { RecordMeta, RecordObject } from '../../model/value.ts';

/** Evaluates one node of an expression for one record. `nowMs`: when the record's frame was ingested. */
export type Closure = (record: RecordObject, meta: RecordMeta, nowMs: number) => unknown;
