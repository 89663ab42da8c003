import { equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { decimalOf, isSameDecimal, scaledInteger, type DigitText } from '../../model/decimal.ts';

/** A text that counts how often it is looked at. */
class Counted implements DigitText {
  looks = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  charCodeAt(index: number): number {
    this.looks++;
    return this.#text.charCodeAt(index);
  }

  slice(from?: number, to?: number): string {
    const piece = this.#text.slice(from, to);
    this.looks += piece.length;
    return piece;
  }
}

const digits = fc.stringMatching(/^[0-9]{1,60}$/);
const numberText = fc
  .tuple(fc.constantFrom('', '-'), digits, fc.option(digits), fc.option(fc.integer({ min: -60, max: 60 })))
  .map(([sign, whole, fraction, exponent]) => {
    const tail = fraction === null ? '' : `.${fraction}`;
    return `${sign}${whole}${tail}${exponent === null ? '' : `e${exponent}`}`;
  });

/** The value as an integer of 10^-200, by arithmetic on integers alone. */
function reference(text: string): bigint {
  const [mantissa = '', exponent = '0'] = text.split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const magnitude = BigInt(whole + fraction) * 10n ** BigInt(200 + Number(exponent) - fraction.length);
  return mantissa.startsWith('-') ? -magnitude : magnitude;
}

describe('decimal numbers as text', () => {
  it('are the number that was written', () => {
    fc.assert(
      fc.property(numberText, (text) => {
        const number = decimalOf(text);
        ok(number !== null);
        equal(scaledInteger(number, 200) ?? 'too long', reference(text));
      }),
    );
  });

  it('are the same exactly when their values are', () => {
    fc.assert(
      fc.property(numberText, numberText, (a, b) => {
        equal(isSameDecimal(decimalOf(a), decimalOf(b)), reference(a) === reference(b));
        equal(isSameDecimal(decimalOf(a), decimalOf(`${a.split('e')[0]}e${Number(a.split('e')[1] ?? 0)}`)), true);
      }),
    );
  });

  it('have no digits behind the scale, or are refused', () => {
    equal(scaledInteger(decimalOf(`1.${'0'.repeat(500)}`)!, 2), 100n);
    equal(scaledInteger(decimalOf(`1.${'0'.repeat(500)}1`)!, 2), null);
    equal(scaledInteger(decimalOf('1e400')!, 0), null);
    equal(scaledInteger(decimalOf('0e99999')!, 0), 0n);
  });

  for (const text of ['', '-', '.', '1.', '.5', '+1', '1e', '1e+', '1e1.5', '1 ', ' 1', '0x1', 'NaN', '1_0', '１']) {
    it(`are not ${JSON.stringify(text)}`, () => equal(decimalOf(text), null));
  }

  it('N1: are read in a number of steps in proportion to their length, whatever the digits', () => {
    const shapes: ((n: number) => string)[] = [
      (n) => '1'.repeat(n),
      (n) => '0'.repeat(n),
      (n) => `1.${'0'.repeat(n)}1`,
      (n) => `${'0'.repeat(n)}.${'0'.repeat(n)}`,
      (n) => `1${'0'.repeat(n)}e-${n}`,
      (n) => `1e${'9'.repeat(n)}`,
      (n) => `1e-${'0'.repeat(n)}1`,
      (n) => `${'01'.repeat(n)}x`,
    ];
    for (const shape of shapes) {
      const looks = [10_000, 20_000].map((n) => {
        const text = new Counted(shape(n));
        decimalOf(text);
        ok(text.looks <= 4 * text.length + 20, `${text.looks} looks at ${text.length} characters`);
        return text.looks;
      });
      ok(looks[1]! <= 2.1 * looks[0]!, `${looks.join(' → ')} for ${shape(3)}`);
    }
  });
});
