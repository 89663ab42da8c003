import { deepEqual, equal, throws } from 'node:assert/strict';
import { allOf, changedIn, withChanged } from '../../activities/streams/known-streams.ts';
import { pipelineStreams } from '../../stream/streams.ts';
import { testPlan } from '../stream/support/server.ts';

const made = (name: string, created = '2026-01-01') => ({ name, created });

describe('streams that the status knows', () => {
  it('K1: are all of a plan: one that vanished while they were looked at is not one that never was', () => {
    const plan = testPlan();
    const all = pipelineStreams(plan).map(({ name }) => made(name));
    equal(allOf(plan, all), all);
    for (const { name } of all) {
      throws(
        () =>
          allOf(
            plan,
            all.filter((one) => one.name !== name),
          ),
        { code: 'MR_STREAM_MISSING' },
      );
    }
  });

  it('K2: stay as an operation has noted them meanwhile, where a decision has changed nothing', () => {
    deepEqual(withChanged([made('a'), made('b')], changedIn([], [])), {});
    deepEqual(withChanged(undefined, []), {});
    const known = [made('a')];
    deepEqual(withChanged([made('a'), made('b')], changedIn(known, known)), {});
  });

  it('K2: are others where a decision has made them again, and only there', () => {
    const known = [made('a'), made('b')];
    const changed = changedIn(known, [made('b'), made('a', '2026-02-02')]);
    deepEqual(withChanged([...known, made('c')], changed), {
      streams: [made('b'), made('c'), made('a', '2026-02-02')],
    });
    deepEqual(withChanged(undefined, changed), { streams: [made('a', '2026-02-02')] });
  });
});
