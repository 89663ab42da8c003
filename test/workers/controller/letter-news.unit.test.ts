import assert from 'node:assert/strict';
import { LetterNews } from '../../../workers/controller/letter-news.ts';

const hourMs = 3_600_000;
const misfit = (records: number) => ({ code: 'MR_RECORD_MISFIT', records, sample: 'field "id" is no number' });

describe('what Events say of dead letters', () => {
  let news: LetterNews;
  beforeEach(() => {
    news = new LetterNews();
  });
  const told = (byCode: readonly ReturnType<typeof misfit>[], hour: number, dropped = 0) =>
    news.next({ byCode, dropped }, hour * hourMs + 1).map(({ content, key }) => [content.reason, content.note, key]);

  it('each code has one, with the number and what the last one said', () => {
    const other = { code: 'MR_RECORD_NOT_JSON', records: 2, sample: 'no JSON' };
    assert.deepEqual(told([misfit(1), other], 5), [
      ['DeadLetters', '1 record with MR_RECORD_MISFIT so far, such as: field "id" is no number', 'MR_RECORD_MISFIT/5'],
      ['DeadLetters', '2 records with MR_RECORD_NOT_JSON so far, such as: no JSON', 'MR_RECORD_NOT_JSON/5'],
    ]);
  });

  it('nothing is told while there are no more', () => {
    told([misfit(3)], 5);
    assert.deepEqual(told([misfit(3)], 6), []);
    assert.deepEqual(told([], 6), []);
  });

  it('more of them in one hour have the key of the first, so they are no Event of their own', () => {
    const [[, , first] = []] = told([misfit(3)], 5);
    const [[, , again] = []] = told([misfit(4)], 5);
    const [[, , later] = []] = told([misfit(5)], 6);
    assert.deepEqual([first, again, later], ['MR_RECORD_MISFIT/5', 'MR_RECORD_MISFIT/5', 'MR_RECORD_MISFIT/6']);
  });

  it('those that gave way to later ones are told of', () => {
    assert.deepEqual(told([], 5, 1), [
      ['DeadLettersDropped', '1 dead letter was dropped so far to make room for later ones.', 'dropped/5'],
    ]);
    assert.deepEqual(told([], 6, 1), []);
    assert.deepEqual(told([], 7, 3), [
      ['DeadLettersDropped', '3 dead letters were dropped so far to make room for later ones.', 'dropped/7'],
    ]);
  });
});
