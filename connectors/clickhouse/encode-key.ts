/**
 * Keys of a Map. JSON has only texts there, so a key is read as its type writes itself in text: digits for a number,
 * `true` and `false` for a Bool, JSON for a type made of others.
 */
import { decimalOf } from '../../model/decimal.ts';
import { decodeJson, ExactNumber, type RecordValue } from '../../model/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { TypeName } from './column-type.ts';
import type { Encoder } from './encoder.ts';
import { Misfit } from '../misfit.ts';

export type KeyWriter = (key: string, to: ByteWriter) => void;

export function keyWriter(type: TypeName, encoder: Encoder): KeyWriter {
  const read = readerOf(type);
  return read === null ? (key, to) => encoder.write(key, to) : (key, to) => encoder.write(read(key), to);
}

/** Null: the encoder takes the text itself. */
function readerOf({ name, args }: TypeName): ((key: string) => RecordValue) | null {
  const [first] = args;
  if (name === 'LowCardinality' && first?.kind === 'type') return readerOf(first.type);
  if (/^(U?Int[0-9]+|B?Float[0-9]+|Decimal|Interval[A-Z][a-z]+)$/.test(name)) return numberKey;
  if (name === 'Bool') return boolKey;
  if (/^(Array|Map|Tuple|Nested|Variant|Dynamic|JSON|QBit|Point|Ring|.*LineString|.*Polygon|Geometry)$/.test(name)) {
    return jsonKey;
  }
  return null;
}

function numberKey(key: string): RecordValue {
  if (decimalOf(key) === null) throw new Misfit('a number as key of the Map', key);
  return new ExactNumber(key);
}

function boolKey(key: string): RecordValue {
  return key === 'true' ? true : key === 'false' ? false : key;
}

function jsonKey(key: string): RecordValue {
  try {
    return decodeJson(key);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Misfit('JSON as key of the Map', key);
    throw error;
  }
}
