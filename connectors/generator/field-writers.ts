/**
 * One writer per field: puts the JSON value of record i into a buffer. What a field's kind means is defined only here.
 *
 * Every combination of min, max and step is valid, so that no spec fails at run time: a max below min counts as min,
 * and fractions of bounds that must be whole are cut off.
 */
import { assertNever } from '../../model/errors.ts';
import { writeBytes, writeInteger, writePadded } from './digits.ts';
import { mix, type IndexedRandom } from './random.ts';
import type { GeneratorField } from './spec.ts';

export interface FieldWriter {
  /** Upper bound of the length of a value. */
  readonly maxBytes: number;
  /** Writes the value of record `index`, returns the index after it. */
  write(out: Uint8Array, at: number, index: number): number;
}

/** 2026-01-01T00:00:00Z. */
const firstTimestamp = 1_767_225_600_000;
/** 9999-12-31T23:59:59.999Z: later times need more digits than ISO 8601 has without prior agreement. */
const lastTimestamp = 253_402_300_799_999;
const longestText = 65_536;
const usualChoices = ['red', 'green', 'blue'];
const numberBytes = 24;
const quote = 0x22;

const encoder = new TextEncoder();

export function fieldWriter(field: GeneratorField, random: IndexedRandom): FieldWriter {
  switch (field.kind) {
    case 'Sequence':
      return sequence(field.min ?? 0, field.step ?? 1);
    case 'Integer':
      return integer(Math.trunc(field.min ?? 0), Math.trunc(field.max ?? 999_999), random);
    case 'Float':
      return float(field.min ?? 0, field.max ?? 1, field.decimals ?? 3, random);
    case 'Choice':
      return choice(field.choices ?? usualChoices, random);
    case 'Text':
      return text(field.min ?? 16, field.max ?? 0, random);
    case 'Timestamp':
      return timestamp(field.min ?? firstTimestamp, field.step ?? 1);
    case 'Uuid':
      return uuid(random);
    default:
      return assertNever(field.kind);
  }
}

function sequence(min: number, step: number): FieldWriter {
  const isWhole = Number.isInteger(min) && Number.isInteger(step);
  return {
    maxBytes: numberBytes,
    write(out, at, index) {
      const value = min + index * step;
      return isWhole && Math.abs(value) <= Number.MAX_SAFE_INTEGER
        ? writeInteger(out, at, value)
        : writeBytes(out, at, encoder.encode(String(value)));
    },
  };
}

function integer(min: number, max: number, random: IndexedRandom): FieldWriter {
  const greatest = Math.max(min, max);
  const span = greatest - min + 1;
  return {
    maxBytes: numberBytes,
    write: (out, at, index) => writeInteger(out, at, Math.min(greatest, min + Math.floor(random.unit(index) * span))),
  };
}

function float(min: number, max: number, decimals: number, random: IndexedRandom): FieldWriter {
  const span = Math.max(0, max - min);
  const scale = 10 ** decimals;
  const isExact = Math.max(Math.abs(min), Math.abs(max)) * scale <= Number.MAX_SAFE_INTEGER;
  return {
    maxBytes: numberBytes + 16,
    write(out, at, index) {
      const value = min + random.unit(index) * span;
      if (!isExact) return writeBytes(out, at, encoder.encode(value.toFixed(decimals)));
      const scaled = Math.round(value * scale);
      const whole = Math.trunc(scaled / scale);
      let end = at;
      if (scaled < 0) out[end++] = 0x2d;
      end = writeInteger(out, end, Math.abs(whole));
      if (decimals === 0) return end;
      out[end++] = 0x2e;
      return writePadded(out, end, Math.abs(scaled - whole * scale), decimals);
    },
  };
}

function choice(choices: readonly string[], random: IndexedRandom): FieldWriter {
  const encoded = choices.map((value) => encoder.encode(JSON.stringify(value)));
  return {
    maxBytes: Math.max(...encoded.map(({ length }) => length)),
    write: (out, at, index) => writeBytes(out, at, encoded[random.bits(index) % encoded.length]!),
  };
}

function text(min: number, max: number, random: IndexedRandom): FieldWriter {
  const shortest = Math.min(longestText, Math.max(0, Math.trunc(min)));
  const spread = Math.min(longestText, Math.max(shortest, Math.trunc(max))) - shortest + 1;
  return {
    maxBytes: shortest + spread + 2,
    write(out, at, index) {
      let bits = random.bits(index);
      const end = at + 1 + shortest + (bits % spread);
      out[at] = quote;
      let left = 0;
      for (let place = at + 1; place < end; place++) {
        if (left === 0) {
          bits = mix(bits + 1);
          left = bits;
        }
        const next = Math.floor(left / 26);
        out[place] = 0x61 + left - next * 26;
        left = next;
      }
      out[end] = quote;
      return end + 1;
    },
  };
}

const dayMs = 86_400_000;

function timestamp(min: number, step: number): FieldWriter {
  let day = NaN;
  let dayText = new Uint8Array(0);
  return {
    maxBytes: 26,
    write(out, at, index) {
      const ms = Math.min(lastTimestamp, Math.max(0, Math.trunc(min + index * step)));
      const ofDay = Math.floor(ms / dayMs);
      if (ofDay !== day) {
        day = ofDay;
        dayText = encoder.encode(`"${new Date(ms).toISOString().slice(0, 11)}`);
      }
      let rest = ms - ofDay * dayMs;
      let end = writeBytes(out, at, dayText);
      end = writePadded(out, end, (rest / 3_600_000) | 0, 2);
      rest %= 3_600_000;
      out[end++] = 0x3a;
      end = writePadded(out, end, (rest / 60_000) | 0, 2);
      rest %= 60_000;
      out[end++] = 0x3a;
      end = writePadded(out, end, (rest / 1_000) | 0, 2);
      out[end++] = 0x2e;
      end = writePadded(out, end, rest % 1_000, 3);
      out[end++] = 0x5a;
      out[end++] = quote;
      return end;
    },
  };
}

const hex = encoder.encode('0123456789abcdef');

function uuid(random: IndexedRandom): FieldWriter {
  return {
    maxBytes: 38,
    write(out, at, index) {
      let bits = random.bits(index);
      let end = at;
      out[end++] = quote;
      for (let digit = 0; digit < 32; digit++) {
        if ((digit & 7) === 0) bits = mix(bits + digit + 1);
        if (digit === 8 || digit === 12 || digit === 16 || digit === 20) out[end++] = 0x2d;
        let nibble = (bits >>> ((digit & 7) * 4)) & 15;
        if (digit === 12) nibble = 4;
        if (digit === 16) nibble = 8 | (nibble & 3);
        out[end++] = hex[nibble]!;
      }
      out[end++] = quote;
      return end;
    },
  };
}
