import { equal, throws } from 'node:assert/strict';
import type { SinkStage } from '../../../model/plan.ts';
import { tombstone } from '../../../stream/sink-port.ts';
import { sinkProgram } from '../../../workers/sink/program.ts';
import { meta } from '../../transforms/support/records.ts';
import { sinkStage } from './stage.ts';

/** What a tombstone has not: a field to look at. */
const looking: Partial<SinkStage> = {
  sources: { orders: { topic: null, schema: [{ name: 'id', type: 'int64', optional: false }] } },
  steps: [{ name: 'paid', kind: 'filter', config: { where: 'record.paid' }, when: null }],
  route: { unless: [], when: 'record.id > 1' },
};

const run = (more: Partial<SinkStage>) =>
  sinkProgram({ ...sinkStage, ...looking, ...more }).run(new Uint8Array(0), 0, -1, meta, 0);
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
