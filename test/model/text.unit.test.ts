import { equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { cut, cutInside, durationText, shortened, visible, visibleLines } from '../../model/text.ts';

const durations: readonly (readonly [ms: number, text: string])[] = [
  [0, '0 s'],
  [1_499, '1 s'],
  [119_000, '119 s'],
  [120_000, '2 min'],
  [7_100_000, '118 min'],
  [7_180_000, '2 h'],
  [86_400_000, '24 h'],
];

describe('texts for people', () => {
  it('what would not be seen in foreign text is written as JSON writes it', () => {
    const text = 'a\u001b[2K\r\u009b1A\u200b\u202eb\u2028\u{e0041}é';
    equal(visible(text), 'a\\u001b[2K\\u000d\\u009b1A\\u200b\\u202eb\\u2028\\udb40\\udc41é');
    equal(JSON.parse(`"${visible(text)}"`), text);
    equal(visible('a\n\tb'), 'a\\u000a\\u0009b');
    equal(visibleLines('a\n\tb\r\n'), 'a\n\tb\\u000d\n');
  });

  it('a text that is cut inside ends as it did, begins as it did, and is no longer than allowed', () => {
    const advice = 'Correct the producer or the schema; to get this record too, send it again.';
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 2_000 }),
        fc.integer({ min: 150, max: 300 }),
        (value, most) => {
          const text = `Field "a" must be an integer, but is ${value}. ${advice}`;
          const kept = cutInside(text, most);
          ok(kept.length <= most);
          ok(kept.isWellFormed() && !kept.includes('\0'));
          ok(kept.startsWith('Field "a" must be an integer') && kept.endsWith(advice), kept);
          equal(kept.includes('…') || value.includes('…'), text.length > most || value.includes('…'));
        },
      ),
    );
  });

  for (const [ms, text] of durations) it(`${ms} ms are ${text}`, () => equal(durationText(ms), text));

  it('what is too long is cut, and shows it', () => {
    equal(shortened('x'.repeat(400)), 'x'.repeat(400));
    equal(shortened('x'.repeat(401)), `${'x'.repeat(399)}…`);
  });

  it('a text is not cut within a character', () => {
    equal(cut('ab😀c', 4), 'ab…');
    equal(cut('ab😀cd', 5), 'ab😀…');
  });

  it('what is cut is a beginning, fits, and is accepted by every store', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }),
        fc.integer({ min: 1, max: 12 }),
        (text, most) => {
          const shown = cut(text, most);
          ok(shown.length <= most);
          ok(shown.isWellFormed() && !shown.includes('\0'));
          ok(text.length <= most ? shown.length === text.length : shown.endsWith('…'));
          const kept = text.length <= most ? shown : shown.slice(0, -1);
          ok(text.toWellFormed().replaceAll('\0', '\ufffd').startsWith(kept));
        },
      ),
    );
  });
});
