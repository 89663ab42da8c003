import { deepEqual, rejects } from 'node:assert/strict';
import fc from 'fast-check';
import { bisect } from '../../connectors/bisect.ts';

describe('bisect', () => {
  it('B2: refuses exactly the rows at fault and stores every other row once', async () => {
    const rows = fc.array(fc.boolean(), { minLength: 1, maxLength: 200 });
    const property = fc.asyncProperty(rows, async (isBad) => {
      const stored: number[] = [];
      const refused = await bisect(0, isBad.length, async (from, to) => {
        if (isBad.slice(from, to).includes(true)) return `one of ${from} to ${to}`;
        for (let row = from; row < to; row++) stored.push(row);
        return null;
      });
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

  it('B2: throws on what is not the fault of a row', async () => {
    await rejects(
      bisect(0, 4, async () => {
        throw new Error('the server is gone');
      }),
      /the server is gone/,
    );
  });
});
