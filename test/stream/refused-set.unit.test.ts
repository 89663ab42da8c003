import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mr } from '../../model/errors.ts';
import { decodeRefused, encodeRefused } from '../../stream/refused-set.ts';

const refusal = (row: number, problem: string) => ({ row, error: mr('MR_RECORD_REFUSED', { sink: 'w', problem }) });

describe('refused set', () => {
  it('F1: what is decoded are the rows that were encoded, with their reasons', () => {
    const set = fc.uniqueArray(fc.record({ row: fc.nat(5_000), problem: fc.constantFrom('a', 'b', 'c') }), {
      selector: ({ row }) => row,
      maxLength: 300,
    });
    fc.assert(
      fc.property(set, (rows) => {
        const decoded = decodeRefused(
          encodeRefused(
            'w',
            rows.map(({ row, problem }) => refusal(row, problem)),
          ),
        );
        assert.deepEqual(
          decoded.map(({ row, error }) => ({ row, problem: error.params['problem'] })),
          rows.toSorted((a, b) => a.row - b.row).map(({ row, problem }) => ({ row, problem })),
        );
      }),
    );
  });

  for (const [name, refused] of [
    ['all of 200,000 rows', Array.from({ length: 200_000 }, (_, row) => refusal(row, 'x'))],
    [
      'every row for a reason of its own',
      Array.from({ length: 50_000 }, (_, row) => refusal(row, `${row}`.repeat(500))),
    ],
    [
      'every row for a reason of its own, of characters that JSON writes with six',
      Array.from({ length: 50_000 }, (_, row) => refusal(row, `${row}${'\u0001'.repeat(395)}`)),
    ],
    ['rows far apart', [refusal(0, 'x'), refusal(1_000_000, 'y')]],
  ] as const) {
    it(`F2: fits an entry of the log: ${name}`, () => {
      const set = encodeRefused('w', refused);
      assert.ok(JSON.stringify(set).length < 700_000);
      assert.deepEqual(
        decodeRefused(set).map(({ row }) => row),
        refused.map(({ row }) => row),
      );
    });
  }
});
