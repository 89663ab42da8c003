/**
 * What a sink stage does with the bytes of a record: decode, schema, steps, route.
 *
 * Each stage that shares the steps runs them. A record that does not decode, does not fit or fails becomes one dead
 * letter: of the stage that owns step failures. The other stages drop it.
 */
import { assertNever, mr } from '../../model/errors.ts';
import type { FieldShape, SinkStage } from '../../model/plan.ts';
import type { RecordObject } from '../../model/value.ts';
import { tombstone, type FlatProgram, type SinkProgram } from '../../stream/sink-port.ts';
import { compileStages, touchedFields, type RecordProgram } from '../../transforms/chain.ts';
import { FlatScanner } from '../../transforms/flat/scanner.ts';
import { decodeRecord } from '../../transforms/json.ts';
import { checkShape } from '../../transforms/shape.ts';

export function sinkProgram(stage: SinkStage): SinkProgram {
  const chain = compileStages(stage);
  const schemas = new Map(Object.entries(stage.sources).map(([source, { schema }]) => [source, schema]));
  const read = stage.ownsStepFailures ? readRecord : readQuietly;
  const { tombstones } = stage;
  const touched = touchedFields(stage);
  return {
    ...(touched === null ? {} : { flat: flatProgram(touched, schemas, chain) }),
    run(bytes, start, end, meta, nowMs) {
      if (end < 0 && tombstones !== undefined) return withoutValue(tombstones);
      const value = read(bytes, start, end, schemas.get(meta.source) ?? null);
      if (value === undefined) return undefined;
      return chain.run(value, meta, nowMs) === 'drop' ? undefined : value;
    },
  };
}

/** The same on undecoded records. A record with any problem is left to the program above. */
function flatProgram(
  touched: ReadonlySet<string>,
  schemas: ReadonlyMap<string, readonly FieldShape[] | null>,
  chain: RecordProgram,
): FlatProgram {
  const scanner = new FlatScanner(touched);
  const isPlain = touched.size === 0;
  return {
    open: (bytes, end) => scanner.open(bytes, end),
    run(start, end, meta, nowMs) {
      if (!scanner.scan(start, end)) return undefined;
      try {
        const schema = isPlain ? null : (schemas.get(meta.source) ?? null);
        if (schema !== null) checkShape(scanner.values, schema);
        return chain.run(scanner.values, meta, nowMs) === 'drop' ? 'drop' : scanner;
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * For a tombstone, which has no value for steps and routes: what the sink's `tombstones` says. Undefined: not passed
 * on.
 */
function withoutValue(choice: NonNullable<SinkStage['tombstones']>): typeof tombstone | undefined {
  switch (choice) {
    case 'Drop':
      return undefined;
    case 'Delete':
      return tombstone;
    case 'DeadLetter':
      throw mr('MR_RECORD_NOT_JSON', { problem: 'it is a null value (a tombstone)' });
    default:
      return assertNever(choice);
  }
}

function readRecord(bytes: Uint8Array, start: number, end: number, schema: readonly FieldShape[] | null): RecordObject {
  if (end < 0) throw mr('MR_RECORD_NOT_JSON', { problem: 'it is a null value (a tombstone)' });
  const value = decodeRecord(bytes, start, end);
  if (schema !== null) checkShape(value, schema);
  return value;
}

function readQuietly(...record: Parameters<typeof readRecord>): RecordObject | undefined {
  try {
    return readRecord(...record);
  } catch {
    // The owner of step failures reads the same record and reports it.
    return undefined;
  }
}
