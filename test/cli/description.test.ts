import assert from 'node:assert/strict';
import { description } from '../../cli/description.ts';
import { conditionTable, conditionTypes } from '../../model/conditions.ts';
import { namespaceOf, pidOf } from '../../model/names.ts';
import { before, condition, now, stored } from './stored.ts';

describe('describe', () => {
  it('begins with what is wrong and marks the conditions that are not as they should be', () => {
    const pipeline = stored({
      metadata: { generation: 4 },
      status: {
        observedGeneration: 4,
        revision: 'orders-7f9c',
        deadLetters: { records: 3 },
        stages: [{ name: 'sink-warehouse', replicas: 2, ready: 1 }],
        workflow: { id: 'pipeline/shop/orders/6f1c', url: 'http://127.0.0.1:8233/x' },
        conditions: [
          condition('Flowing', 'False', 'Waiting', 'waits for the sink'),
          condition('SinkConnected', 'False', 'SinkAuthRejected', 'ch:8123 rejected the user.'),
          condition('SourceConnected', 'True', 'Connected', ''),
          condition('Stalled', 'False', 'Progressing', ''),
          condition('Ready', 'False', 'SinkAuthRejected', 'ch:8123 rejected the user.'),
        ],
      },
    });
    const event = { type: 'Normal', reason: 'Provisioned', message: 'provision g4 done', at: before(600), count: 2 };
    assert.equal(
      description(pipeline, [event], now),
      `orders is not ready (SinkAuthRejected) since 30s: ch:8123 rejected the user.

Name:           orders
Namespace:      shop
Age:            60m
Flow:           orders (generator) -> paid (filter) -> warehouse (clickhouse)
Wanted:         Running
Generation:     4, carried out
Workloads in:   pipeline-orders-PID
Revision:       orders-7f9c
Dead letters:   3
Temporal:       http://127.0.0.1:8233/x

Conditions (! = not as it should be; the first names the cause):
      TYPE              STATUS   SINCE   REASON             MESSAGE
  !   SinkConnected     False    30s     SinkAuthRejected   ch:8123 rejected the user.
  !   Flowing           False    30s     Waiting            waits for the sink
  !   Ready             False    30s     SinkAuthRejected   as SinkConnected says
      Stalled           False    30s     Progressing
      SourceConnected   True     30s     Connected

Stages:
  NAME             READY
  sink-warehouse   1/2

Events:
  AGE   TYPE     REASON             MESSAGE
  10m   Normal   Provisioned (x2)   provision g4 done
`.replace('pipeline-orders-PID', namespaceOf(pidOf('orders', '6f1c'))),
    );
  });

  it('shows the running operation with its attempt and last error', () => {
    const text = description(
      stored({
        status: {
          conditions: [condition('Ready', 'False', 'Provisioning', 'copy credentials')],
          operation: {
            id: 'pipeline/shop/orders/6f1c/op/1-provision-g1',
            type: 'provision',
            step: 'copy credentials',
            startedAt: before(12),
            attempt: 3,
            lastError: 'Secret "ch" must have key "password", but it does not exist.',
          },
        },
      }),
      [],
      now,
    );
    assert.match(text, /Operation:\n {2}Doing: {8}provision, since 12s\n {2}Step: {9}copy credentials \(attempt 3\)\n/);
    assert.match(text, /Last error: {3}Secret "ch" must have key "password", but it does not exist\.\n/);
    assert.match(text, /Generation: {5}1, carried out: 0\n/);
  });

  it('names a dead sink before the drain that it holds up', () => {
    const text = description(
      stored({
        status: {
          conditions: [
            condition('Ready', 'False', 'Deleting', 'it is being taken down'),
            condition('Reconciling', 'True', 'Deleting', 'it is being taken down'),
            condition('Provisioned', 'False', 'Deleting', 'it is being taken down'),
            condition('SinkConnected', 'False', 'SinkUnreachable', 'ch:8123 does not answer.'),
          ],
        },
      }),
      [],
      now,
    );
    const marked = [...text.matchAll(/^ {2}! +(\w+)/gm)].map(([, type]) => type);
    assert.deepEqual(marked, ['Reconciling', 'SinkConnected', 'Provisioned', 'Ready']);
  });

  describe('of a pipeline whose newest spec is refused', () => {
    const refused = (phase: 'Paused' | 'NotReady') =>
      stored({
        metadata: { generation: 8 },
        spec: { sources: [{ name: 'clicks', generator: {} }] },
        status: {
          phase,
          observedGeneration: 8,
          acceptedGeneration: 7,
          stages: [
            { name: 'ingestor-orders', replicas: 1, ready: 1 },
            { name: 'sink-warehouse', replicas: 1, ready: 1 },
          ],
          conditions: [
            condition('Accepted', 'False', 'SourceNotGone', 'Source "clicks" cannot come back.'),
            condition('Ready', 'False', 'SourceNotGone', 'Source "clicks" cannot come back.'),
          ],
        },
      });

    it('says which generation is in force, what flows, and what is refused', () => {
      const text = description(refused('NotReady'), [], now);
      assert.match(text, /^Generation: +8, refused; 7 in force$/m);
      assert.match(text, /^Flow: +orders -> warehouse$/m);
      assert.match(text, /^Refused: +clicks \(generator\) -> paid \(filter\) -> warehouse \(clickhouse\)$/m);
    });

    it('says that it is paused, and that the spec is refused', () => {
      assert.match(
        description(refused('Paused'), [], now),
        /^orders is paused, and not ready \(SourceNotGone\) since 30s: Source "clicks" cannot come back\./,
      );
    });
  });

  it('names what an operation waits for before what follows from it', () => {
    const conditions = [
      condition('SinkConnected', 'Unknown', 'Pending'),
      condition('SourceConnected', 'Unknown', 'Pending'),
      condition('Reconciling', 'True', 'SecretMissing'),
      condition('Ready', 'False', 'SecretMissing'),
    ];
    assert.match(description(stored({ status: { conditions } }), [], now), /^ {2}! +Reconciling /m);
    const [first] = description(stored({ status: { conditions } }), [], now).matchAll(/^ {2}! +(\w+) /gm);
    assert.equal(first?.[1], 'Reconciling');
  });

  it('has one order, that of the table: what is wrong first, then the rest', () => {
    const all = conditionTypes.map((type) => condition(type, 'Unknown', 'Odd')).reverse();
    for (const well of conditionTypes) {
      const healthy = condition(well, conditionTable[well].healthy, 'Good');
      const conditions = all.map((one) => (one.type === well ? healthy : one));
      const text = description(stored({ status: { conditions } }), [], now);
      const shown = [...text.matchAll(/^ {2}[! ] +(\w+) +(?:True|False|Unknown) /gm)].map(([, type]) => type);
      assert.deepEqual(shown, [...conditionTypes.filter((type) => type !== well), well]);
    }
  });

  it('says so when nobody has looked at the pipeline yet', () => {
    assert.match(description(stored(), [], now), /^orders: Millrace has not looked at it yet/);
  });

  it('says so when the pipeline is being deleted', () => {
    const pipeline = stored({ metadata: { deletionTimestamp: before(90) } });
    assert.match(description(pipeline, [], now), /^orders is being deleted, for 90s now/);
  });
});
