import { equal, throws } from 'node:assert/strict';
import type { SinkStage } from '../../../model/plan.ts';
import { tombstone } from '../../../stream/sink-port.ts';
import { sinkProgram } from '../../../workers/sink/program.ts';
import { meta } from '../../transforms/support/records.ts';

function stage(more: Partial<SinkStage>): SinkStage {
  return {
    name: 'sink-out',
    workload: 'sink-out',
    kind: 'sink',
    connector: 'postgres',
    config: null,
    slots: 1,
    replicas: 1,
    resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
    sink: 'out',
    reads: 'main',
    sources: { orders: { topic: null, schema: [{ name: 'id', type: 'int64', optional: false }] } },
    // What a tombstone has not: a field to look at.
    steps: [{ name: 'paid', kind: 'filter', config: { where: 'record.paid' }, when: null }],
    ownsStepFailures: true,
    route: { unless: [], when: 'record.id > 1' },
    batch: { maxRecords: 1, maxBytes: 1, maxDelayMs: 1 },
    ...more,
  };
}

const run = (more: Partial<SinkStage>) => sinkProgram(stage(more)).run(new Uint8Array(0), 0, -1, meta, 0);
const isTold = { code: 'MR_RECORD_NOT_JSON', message: /tombstone/ };

describe('a record without a value', () => {
  it('is dropped, and counted as that', () => equal(run({ tombstones: 'Drop' }), undefined));
  it('deletes, past schema, steps and routes', () => equal(run({ tombstones: 'Delete' }), tombstone));
  it('is a dead letter of each sink that wants it', () => {
    throws(() => run({ tombstones: 'DeadLetter', ownsStepFailures: false }), isTold);
  });
  it('is a dead letter under a plan of v0.1, of one sink', () => {
    throws(() => run({}), isTold);
    equal(run({ ownsStepFailures: false }), undefined);
  });
});
