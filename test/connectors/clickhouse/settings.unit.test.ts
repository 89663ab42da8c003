import { deepEqual, equal, match } from 'node:assert/strict';
import { contradictions, guarded, insertSettings, sentNames } from '../../../connectors/clickhouse/settings.ts';

const everything = new Set(sentNames);
const config = (settings: readonly { name: string; value: string }[]) => ({ settings, requestTimeoutMs: 1_500 });

describe('settings of an insert', () => {
  for (const [name, { value }] of Object.entries(guarded)) {
    it(`G1, G2: ${name} is ${value}, and a spec that says otherwise is refused`, () => {
      const other = value === 'throw' ? 'break' : value === '1' ? '0' : '7';
      const sent = insertSettings(config([{ name, value: other }]), everything, 'token');
      equal(sent[name], value);
      deepEqual(contradictions([{ name, value }]), []);
      const [found] = contradictions([
        { name: 'max_threads', value: '2' },
        { name, value: other },
      ]);
      equal(found?.index, 1);
      match(found.problem, new RegExp(`must stay ${value}, but is ${other}`));
    });
  }

  it('G1: a setting that the server does not know is not sent', () => {
    const sent = insertSettings(config([]), new Set(['insert_deduplicate']), 'token');
    deepEqual(Object.keys(sent).toSorted(), [
      'insert_deduplicate',
      'insert_deduplication_token',
      'max_execution_time',
      'max_partitions_per_insert_block',
      'wait_end_of_query',
    ]);
  });

  it('G3: the server gives an insert up when nobody waits for it any more, or when the spec says', () => {
    equal(insertSettings(config([]), everything)['max_execution_time'], 2);
    const own = [{ name: 'max_execution_time', value: '600' }];
    equal(insertSettings(config(own), everything)['max_execution_time'], '600');
  });

  it('G4: no date or number is read out of a text, unless the spec asks for it', () => {
    const name = 'input_format_try_infer_dates';
    equal(insertSettings(config([]), everything)[name], '0');
    equal(insertSettings(config([{ name, value: '1' }]), everything)[name], '1');
    equal(insertSettings(config([]), new Set())[name], undefined);
  });

  it('G2: takes words for numbers', () => {
    deepEqual(contradictions([{ name: 'async_insert', value: 'false' }]), []);
    equal(contradictions([{ name: 'async_insert', value: 'true' }]).length, 1);
  });

  it('G2: the token is not for a spec', () => {
    match(contradictions([{ name: 'insert_deduplication_token', value: 'x' }])[0]!.problem, /cannot be set/);
  });

  for (const [value, isFine] of [
    ['1', true],
    ['500', true],
    ['0', false],
    ['-1', false],
    ['many', false],
    ['100000', false],
  ] as const) {
    it(`G2: max_partitions_per_insert_block = ${value} is ${isFine ? 'taken' : 'refused'}`, () => {
      const settings = [{ name: 'max_partitions_per_insert_block', value }];
      equal(contradictions(settings).length, isFine ? 0 : 1);
      if (isFine) equal(insertSettings(config(settings), everything)['max_partitions_per_insert_block'], value);
    });
  }
});
