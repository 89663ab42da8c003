import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mr } from '../../model/errors.ts';
import { decodeRefused, encodeRefused } from '../../stream/refused-set.ts';

const refusal = (record: number, problem: string) => ({
  record,
  error: mr('MR_RECORD_REFUSED', { sink: 'w', problem }),
});

describe('refused set', () => {
  it('F1: what is decoded are the records that were encoded, with their reasons', () => {
    const set = fc.uniqueArray(fc.record({ record: fc.nat(5_000), problem: fc.constantFrom('a', 'b', 'c') }), {
      selector: ({ record }) => record,
      maxLength: 300,
    });
    fc.assert(
      fc.property(set, (records) => {
        const decoded = decodeRefused(
          encodeRefused(
            'w',
            records.map(({ record, problem }) => refusal(record, problem)),
          ),
        );
        assert.deepEqual(
          decoded.map(({ record, error }) => ({ record, problem: error.params['problem'] })),
          records.toSorted((a, b) => a.record - b.record).map(({ record, problem }) => ({ record, problem })),
        );
      }),
    );
  });

  for (const [name, refused] of [
    ['all of 200,000 records', Array.from({ length: 200_000 }, (_, record) => refusal(record, 'x'))],
    [
      'every record for a reason of its own',
      Array.from({ length: 50_000 }, (_, record) => refusal(record, `${record}`.repeat(500))),
    ],
    [
      'every record for a reason of its own, of characters that JSON writes with six',
      Array.from({ length: 50_000 }, (_, record) => refusal(record, `${record}${'\u0001'.repeat(395)}`)),
    ],
    ['records far apart', [refusal(0, 'x'), refusal(1_000_000, 'y')]],
  ] as const) {
    it(`F2: fits an entry of the log: ${name}`, () => {
      const set = encodeRefused('w', refused);
      assert.ok(JSON.stringify(set).length < 700_000);
      assert.deepEqual(
        decodeRefused(set).map(({ record }) => record),
        refused.map(({ record }) => record),
      );
    });
  }

  it('F2: with more reasons than fit, each record keeps its code and its step', () => {
    const misfit = (record: number, step: string) => ({
      record,
      error: mr('MR_RECORD_EXPRESSION', { step, problem: `no number: ${record}`, hint: 'of a test' }),
    });
    const failed = Array.from({ length: 5_000 }, (_, record) => misfit(record, record % 2 === 0 ? 'map' : 'filter'));
    const decoded = decodeRefused(encodeRefused('w', failed));
    const toldOf = ({ error }: (typeof failed)[number]) => [error.code, error.params['step']];
    assert.deepEqual(decoded.map(toldOf), failed.map(toldOf));
    assert.equal(decoded[199]?.error.params['problem'], 'no number: 199');
    assert.match(decoded[200]?.error.sentence ?? '', /too many reasons in this batch/);
  });
});
