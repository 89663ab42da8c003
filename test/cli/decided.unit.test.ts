/** What `millrace decide --wait` waits for. */
import { deepEqual, equal, partialDeepStrictEqual, throws } from 'node:assert/strict';
import { Holding, untilDecided, type Verdict } from '../../cli/wait.ts';
import { mr } from '../../model/errors.ts';
import type { PipelineStatus } from '../../model/status.ts';
import { HandClock } from '../support/hand-clock.ts';
import { stored } from './stored.ts';

const text = 'records.1=accept-loss@now';
const at = '2026-01-31T09:30:00Z';
const asks = (token: string) =>
  mr('MR_POSITION_LOST', {
    who: 'Writer orders-0',
    position: 0,
    stream: 'mr-orders-abc123-records',
    found: 'its frames are gone',
    pipeline: 'orders -n shop',
    token,
    accepted: 'goes on',
    reread: 'reads again',
  }).sentence;

const status = (ready: 'True' | 'False', message: string, more: Partial<PipelineStatus> = {}): PipelineStatus => ({
  observedGeneration: 1,
  conditions: [{ type: 'Ready', status: ready, reason: 'Any', message, observedGeneration: 1, lastTransitionTime: at }],
  ...more,
});
const decision = { text, at };

function judged(said: PipelineStatus): Verdict {
  const pipeline = { ...stored({ metadata: { generation: 1, uid: 'u' } }), status: said };
  return untilDecided(pipeline, { token: 'records.1', text })({ is: 'there', pipeline });
}

describe('millrace decide --wait', () => {
  it('waits until somebody has looked at the decision', () => equal(judged(status('True', 'well')).is, 'waiting'));

  it('waits for who asked, as long as the status has the question', () => {
    const verdict = judged(status('False', asks('records.1'), { decision }));
    partialDeepStrictEqual(verdict, { is: 'waiting', message: 'who asked by records.1 has not gone on yet' });
  });

  it('counts ready when that has held', () =>
    partialDeepStrictEqual(judged(status('True', 'well', { decision })), { is: 'reached', holdsMs: 15_000 }));

  for (const token of ['records.2', 'ingestor-orders.1', 'dead.lost'])
    it(`ends with the next question: ${token}`, () =>
      throws(() => judged(status('False', asks(token), { decision })), {
        code: 'MR_ASKED_AGAIN',
        message: new RegExp(`asks for another one: .*decide orders -n shop ${token.replace('.', '\\.')} accept-loss`),
      }));

  it('ends with why a decision was refused', () =>
    throws(() => judged(status('False', 'not well', { decision: { ...decision, problem: 'nobody asks' } })), {
      code: 'MR_DECISION_REFUSED',
    }));

  it('a verdict holds from when it was seen first, and anew after another', async () => {
    const clock = new HandClock();
    const held: number[] = [];
    const holding = new Holding(
      () => held.push(clock.monotonic()),
      (ms, then) => clock.after(ms, then),
    );
    const reached = { is: 'reached', message: 'Running', holdsMs: 15_000 } as const;
    holding.see(reached);
    await clock.advance(10_000);
    holding.see({ is: 'waiting', message: 'asks' });
    await clock.advance(10_000);
    deepEqual(held, []);
    holding.see(reached);
    await clock.advance(10_000);
    holding.see(reached);
    await clock.advance(5_000);
    equal(held.length, 1);
  });
});
