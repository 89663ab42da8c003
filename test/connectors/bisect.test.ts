import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import fc from 'fast-check';
import { bisect } from '../../connectors/bisect.ts';

describe('bisect', () => {
  it('B2: refuses exactly the rows at fault and stores every other row once', async () => {
    const rows = fc.array(fc.boolean(), { minLength: 1, maxLength: 200 });
    const property = fc.asyncProperty(rows, fc.integer({ min: 1, max: 5 }), async (isBad, width) => {
      const stored: number[] = [];
      const refused = await bisect(
        0,
        isBad.length,
        async (from, to) => {
          if (isBad.slice(from, to).includes(true)) return `one of ${from} to ${to}`;
          for (let row = from; row < to; row++) stored.push(row);
          return null;
        },
        width,
      );
      const indices = isBad.map((_, row) => row);
      deepEqual(
        refused.map(({ row }) => row),
        indices.filter((row) => isBad[row]),
      );
      deepEqual(
        stored,
        indices.filter((row) => !isBad[row]),
      );
    });
    await fc.assert(property);
  });

  it('B1: splits at the same places each time', async () => {
    const ranges = async () => {
      const seen: string[] = [];
      await bisect(0, 37, async (from, to) => {
        seen.push(`${from}-${to}`);
        return from <= 20 && 20 < to ? 'bad' : null;
      });
      return seen;
    };
    deepEqual(await ranges(), await ranges());
  });

  for (const [name, isBad, most] of [
    ['one of 4,096 rows', (row: number) => row === 1_717, 2 * 12 + 1],
    ['the first two of 4,096 rows', (row: number) => row < 2, 2 * 12 + 3],
    ['all of 4,096 rows', () => true, 4_096 + 12 + 1],
    ['half of 4,096 rows', (row: number) => row < 2_048, 4_096 + 12 + 1],
    ['every other of 4,096 rows', (row: number) => row % 2 === 0, 2 * 4_096],
  ] as const) {
    it(`B3: finds ${name} in at most ${most} tries`, async () => {
      let tries = 0;
      const refused = await bisect(0, 4_096, async (from, to) => {
        tries++;
        for (let row = from; row < to; row++) if (isBad(row)) return 'bad';
        return null;
      });
      equal(refused.length, Array.from({ length: 4_096 }, (_, row) => row).filter((row) => isBad(row)).length);
      ok(tries <= most, `${tries} tries`);
    });
  }

  it('B3: tries no more single rows at once than it may', async () => {
    let running = 0;
    let most = 0;
    const attempt = async (from: number, to: number) => {
      most = Math.max(most, to - from === 1 ? ++running : 0);
      await Promise.resolve();
      if (to - from === 1) running--;
      return 'bad';
    };
    equal((await bisect(0, 100, attempt, 4)).length, 100);
    equal(most, 4);
  });

  it('B2: throws on what is not the fault of a row', async () => {
    await rejects(
      bisect(0, 4, async () => {
        throw new Error('the server is gone');
      }),
      /the server is gone/,
    );
  });
});
