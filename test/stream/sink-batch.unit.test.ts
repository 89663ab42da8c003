import { deepEqual, rejects } from 'node:assert/strict';
import { mr } from '../../model/errors.ts';
import { frameSubject } from '../../model/names.ts';
import { PositionLost } from '../../stream/position-lost.ts';
import { SinkBatch } from '../../stream/sink-batch.ts';
import { jsonProgram, MemoryRows } from './support/fakes.ts';
import { frameOf } from './support/frames.ts';
import { sinkOf } from './support/stages.ts';
import { testPlan } from './support/server.ts';

const taken = frameOf(['{"n":1}', '{"n":2}'], 2);
const other = frameOf(['{"n":3}', '{"n":4}'], 4);

describe('the frames of a batch', () => {
  /** Sequence 7 of the stream is `taken`, and is `later` when it is read again; undefined: its source was given up. */
  async function batchOfSeven(later: Uint8Array | undefined) {
    const stage = sinkOf(testPlan());
    const batch = new SinkBatch(new MemoryRows(), {
      ...{ stage: stage.name, sink: 'warehouse', slot: 0, stream: 'edge' },
      chain: { follow: () => Promise.resolve() },
      views: { of: () => ({ stage, program: jsonProgram, topics: new Map() }) },
      fetchFrame: () => Promise.resolve(later),
    });
    const subject = frameSubject('p1', 'main', 0, 'orders-0');
    await batch.add({ data: taken, sequence: 7, subject, pending: 0 }, new AbortController().signal);
    return batch;
  }

  const refused = [{ row: 1, error: mr('MR_RECORD_REFUSED', { sink: 'warehouse', problem: 'of a test' }) }];

  it('are read again for the records that the sink refused', async () => {
    const letters = await (await batchOfSeven(taken)).deadLetters(refused);
    deepEqual(
      letters.map(({ sequence, index, value }) => [sequence, index, Buffer.from(value ?? []).toString()]),
      [[7, 1, '{"n":2}']],
    );
  });

  it('are given up with their source: no letter tells of them', async () => {
    deepEqual(await (await batchOfSeven(undefined)).deadLetters(refused), []);
  });

  it('Y4: are counted by record, so that one that failed keeps its number, and without what nobody may read', async () => {
    const stage = sinkOf(testPlan());
    const batch = new SinkBatch(new MemoryRows(), {
      ...{ stage: stage.name, sink: 'warehouse', slot: 0, stream: 'edge' },
      chain: { follow: () => Promise.resolve() },
      views: { of: () => ({ stage, program: jsonProgram, topics: new Map() }) },
      fetchFrame: (sequence) => Promise.resolve(frames[sequence] ?? taken),
      hide: (text) => text.replaceAll('parse', '***'),
    });
    const frames = [
      frameOf(['{"n":0}', '{"n":1,"drop":true}', 'no json'], 3),
      frameOf(['no json', '{"n":4}', '{"n":5,"misfit":true}', '{"n":6}'], 7),
    ];
    const subject = frameSubject('p1', 'main', 0, 'orders-0');
    for (const [sequence, data] of frames.entries()) {
      await batch.add({ data, sequence, subject, pending: 0 }, new AbortController().signal);
    }
    deepEqual(
      [0, 1, 2].map((row) => batch.recordOf(row)),
      [0, 4, 6],
    );
    deepEqual(
      [0, 1, 4, 5, 6].map((record) => batch.rowOf(record)),
      [0, undefined, 1, undefined, 2],
    );
    deepEqual(
      batch.failed.map(({ record }) => record),
      [2, 3, 5],
    );
    deepEqual(batch.failed[0]?.error.params['problem'], 'it does not ***');
    const letters = await batch.lettersOf([...batch.failed, { record: 6, error: refused[0]!.error }]);
    deepEqual(
      letters.map(({ sequence, index }) => [sequence, index]),
      [
        [0, 2],
        [1, 0],
        [1, 2],
        [1, 3],
      ],
    );
  });

  it('I6: no dead letter holds a record of a frame that took the place of the one that was read', async () => {
    const batch = await batchOfSeven(other);
    await rejects(
      batch.deadLetters(refused),
      (error) => error instanceof PositionLost && error.until === 7 && error.found.includes('frame 7 is another one'),
    );
  });
});
