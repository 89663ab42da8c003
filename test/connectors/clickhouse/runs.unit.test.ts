import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { countOf, partOf, rowAt, runsWithout, type Runs } from '../../../connectors/clickhouse/runs.ts';

const rowsOf = (runs: Runs) => runs.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));

describe('runs of rows', () => {
  it('hold all rows but the refused ones, and any part of them', () => {
    const property = fc.property(
      fc.nat(40),
      fc.array(fc.nat(45)),
      fc.nat(45),
      fc.nat(45),
      (rows, refused, first, end) => {
        const left = Array.from({ length: rows }, (_, row) => row).filter((row) => !refused.includes(row));
        const runs = runsWithout(
          rows,
          refused.filter((row) => row < rows).map((row) => ({ row })),
        );
        deepEqual(rowsOf(runs), left);
        equal(countOf(runs), left.length);
        deepEqual(rowsOf(partOf(runs, first, end)), left.slice(first, Math.max(first, end)));
        left.forEach((row, nth) => equal(rowAt(runs, nth), row));
      },
    );
    fc.assert(property);
  });
});
