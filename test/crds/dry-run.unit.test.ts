import assert from 'node:assert/strict';
import { dryRunOf } from '../../crds/dry-run.ts';
import { stored } from '../cli/stored.ts';

const sink = { name: 'warehouse', clickhouse: { url: 'http://ch:8123', table: 'orders', password: 'hunter2' } };
const rolling = 'pods are replaced a few at a time, and records go on moving';

function plan(after: Parameters<typeof stored>[0], before: Parameters<typeof stored>[0] = {}): readonly string[] {
  return dryRunOf(stored(before), stored(after)).changes;
}

describe('what an apply would do', () => {
  it('is nothing for the same spec', () => assert.deepEqual(plan({}), []));

  it('lists the stages of a new pipeline', () =>
    assert.deepEqual(dryRunOf(null, stored()), {
      effect: 'created',
      changes: ['starts ingestor-orders', 'starts sink-warehouse'],
    }));

  it('names the field by the names on its way', () =>
    assert.deepEqual(plan({ spec: { sources: [{ name: 'orders', generator: { rate: 7 } }] } }), [
      'changes spec.sources[orders].generator.rate',
      'replaces the pods of ingestor-orders',
      rolling,
    ]));

  it('never shows a value', () => {
    const shown = plan({ spec: { sinks: [sink] } });
    assert.ok(shown.includes('adds spec.sinks[warehouse].clickhouse.password'));
    assert.doesNotMatch(shown.join(), /hunter2/);
  });

  it('says that an edit of labels touches no pod', () =>
    assert.deepEqual(plan({ metadata: { labels: { team: 'shop' } } }), [
      'adds metadata.labels.team',
      'nothing that runs is touched',
    ]));

  it('says that a new order of steps is a change', () => {
    const steps = ['a', 'b'].map((name) => ({ name, filter: { where: 'record.id > 0' } }));
    const [field] = plan({ spec: { steps: steps.toReversed() } }, { spec: { steps } });
    assert.equal(field, 'changes the order of spec.steps');
  });

  const other = { ...sink, clickhouse: { url: 'http://ch:8123', table: 'orders' } };
  const gives = /nothing waits: what a stage that goes, or is going already, has not written is given up/;

  it('says what Immediate gives up: of a sink that goes now, and of one that is going already', () => {
    const before = { spec: { sinks: [other, { ...other, name: 'copy' }] } };
    const now = plan({ spec: { sinks: [other], deletionPolicy: 'Immediate' } }, before);
    assert.ok(now.includes('removes sink-copy') && now.includes('a stage goes at once'), now.join());
    assert.match(now.join(), gives);
    assert.match(plan({ spec: { deletionPolicy: 'Immediate' } }, {}).join(), gives);
    assert.doesNotMatch(plan({ spec: { sinks: [other] } }, before).join(), gives);
    const still = { spec: { deletionPolicy: 'Immediate' as const } };
    assert.doesNotMatch(plan({ ...still, metadata: { labels: { team: 'shop' } } }, still).join(), gives);
  });

  it('does not say that records move while the pipeline is paused', () => {
    const paused = { desiredState: 'Paused' as const };
    const shown = plan(
      { spec: { ...paused, sinks: [other, { ...other, name: 'copy' }] } },
      { spec: { ...paused, sinks: [other] } },
    );
    assert.ok(shown.includes('adds sink-copy'), shown.join());
    assert.match(shown.join(), /no pod runs: they start with the change when the pipeline is resumed/);
  });

  it('names the stage that goes', () => {
    const shown = plan(
      {},
      {
        spec: {
          sinks: [
            { ...sink, clickhouse: { url: 'http://ch:8123', table: 'orders' } },
            { ...sink, name: 'copy' },
          ],
        },
      },
    );
    assert.ok(shown.includes('drains and removes sink-copy'), shown.join());
  });

  it('says of a source that goes, and of one that comes, that it goes on where it stood', () => {
    const sources = ['orders', 'refunds'].map((name) => ({ name, generator: { rate: 7 } }));
    const one = { spec: { sources: sources.slice(0, 1) } };
    assert.ok(
      plan(one, { spec: { sources } }).includes(
        'drains and removes ingestor-refunds; should the source come back under its name, it goes on where it stood',
      ),
    );
    assert.ok(
      plan({ spec: { sources } }, one).includes(
        'starts ingestor-refunds; a source of this name that was here before goes on where it stood',
      ),
    );
  });

  it('tells a change of the wanted state', () =>
    assert.ok(plan({ spec: { desiredState: 'Paused' } }).includes('goes from Running to Paused')));

  it('says what cannot be done in place', () =>
    assert.match(plan({ spec: { isolation: 'Shared' } }).join(), /cannot move,cannot be done in place$/));

  it('tells a thing that goes or comes once, and not that its list changes', () => {
    const one = { name: 'orders', generator: { rate: 1 } };
    const extra = { name: 'extra', generator: { rate: 1 } };
    const both = { spec: { sources: [one, extra] } };
    const only = { spec: { sources: [one] } };
    const fields = (lines: readonly string[]) => lines.filter((line) => line.includes('spec.'));
    assert.deepEqual(fields(plan(only, both)), ['removes spec.sources[extra]']);
    assert.deepEqual(fields(plan(both, only)), ['adds spec.sources[extra]']);
  });
});
