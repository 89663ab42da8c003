import assert from 'node:assert/strict';
import { planOfChanges } from '../../cli/plan-of-changes.ts';
import { stored } from './stored.ts';

const sink = { name: 'warehouse', clickhouse: { url: 'http://ch:8123', table: 'orders', password: 'hunter2' } };
const rolling = 'pods are replaced a few at a time, and records go on moving';

function plan(after: Parameters<typeof stored>[0], before: Parameters<typeof stored>[0] = {}): readonly string[] {
  return planOfChanges(stored(before), stored(after))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

describe('what an apply would do', () => {
  it('is nothing for the same spec', () => assert.deepEqual(plan({}), []));

  it('lists the stages of a new pipeline', () =>
    assert.equal(planOfChanges(null, stored()), '  starts ingestor-orders\n  starts sink-warehouse\n'));

  it('names the field by the names on its way', () =>
    assert.deepEqual(plan({ spec: { sources: [{ name: 'orders', generator: { rate: 7 } }] } }), [
      'changes spec.sources[orders].generator.rate',
      'replaces the pods of ingestor-orders',
      rolling,
    ]));

  it('never shows a value', () => {
    const shown = plan({ spec: { sinks: [sink] } });
    assert.ok(shown.includes('changes spec.sinks[warehouse].clickhouse.password'));
    assert.doesNotMatch(shown.join(), /hunter2/);
  });

  it('says that an edit of labels touches no pod', () =>
    assert.deepEqual(plan({ metadata: { labels: { team: 'shop' } } }), [
      'changes metadata.labels.team',
      'nothing that runs is touched',
    ]));

  it('says that a new order of steps is a change', () => {
    const steps = ['a', 'b'].map((name) => ({ name, filter: { where: 'record.id > 0' } }));
    const [field] = plan({ spec: { steps: steps.toReversed() } }, { spec: { steps } });
    assert.equal(field, 'changes spec.steps');
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
});
