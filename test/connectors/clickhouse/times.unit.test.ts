import { equal } from 'node:assert/strict';
import fc from 'fast-check';
import { ByteWriter } from '../../../connectors/clickhouse/byte-writer.ts';
import { compileEncoder } from '../../../connectors/clickhouse/encoders.ts';
import { ExactNumber, type RecordValue } from '../../../model/value.ts';

describe('ClickHouse dates and times', () => {
  it('D1: any instant is stored as it is, or a misfit when it is out of range, in whatever form it comes', () => {
    const scales = fc.constantFrom(0, 3, 6, 9);
    const form = fc.constantFrom('number', 'bigint', 'exact', 'text');
    const nanos = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n });
    fc.assert(
      fc.property(scales, form, nanos, (scale, as, instant) => {
        const unit = 10n ** BigInt(9 - scale);
        const ticks = floorDivide(instant, unit);
        const value = inForm(as, ticks, instant);
        if (value === undefined) return;
        const isHeld =
          ticks >= -2_208_988_800n * 10n ** BigInt(scale) &&
          ticks < 10_413_792_000n * 10n ** BigInt(scale) &&
          ticks < 2n ** 63n;
        equal(writtenTicks(`DateTime64(${scale})`, value), isHeld ? ticks : undefined);
      }),
      { numRuns: 5_000 },
    );
  });
});

function inForm(form: string, ticks: bigint, instant: bigint): RecordValue | undefined {
  switch (form) {
    case 'number':
      // A double stands for its shortest text (J1), which of a long integer may be another one.
      return BigInt(String(Number(ticks))) === ticks ? Number(ticks) : undefined;
    case 'bigint':
      return ticks;
    case 'exact':
      return new ExactNumber(`${ticks}.0`);
    default: {
      const seconds = floorDivide(instant, 10n ** 9n);
      const date = new Date(Number(seconds) * 1000);
      if (!(date.getUTCFullYear() >= 0 && date.getUTCFullYear() <= 9999)) return undefined;
      const fraction = (instant - seconds * 10n ** 9n).toString().padStart(9, '0');
      return `${date.toISOString().slice(0, 19)}.${fraction}Z`;
    }
  }
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return quotient * by > value ? quotient - 1n : quotient;
}

function writtenTicks(type: string, value: RecordValue): bigint | undefined {
  const writer = new ByteWriter();
  try {
    compileEncoder(type)!.write(value, writer);
  } catch (error) {
    if (error instanceof Error && error.name === 'Misfit') return undefined;
    throw error;
  }
  equal(writer.at, 8);
  return writer.slice(0, 8).readBigInt64LE(0);
}
