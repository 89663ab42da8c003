import assert from 'node:assert/strict';
import { readableLine } from '../../cli/log-line.ts';

const base = { pipeline: 'orders', namespace: 'shop', stage: 'sink-warehouse', pod: 'sink-1' };
const line = (fields: object) =>
  readableLine('sink-1', JSON.stringify({ time: '2026-05-01T12:00:00.123Z', ...base, ...fields }));

describe('a line of a pod in `millrace logs`', () => {
  it('has time, pod, level and message, and the pod once', () => {
    assert.equal(
      line({ level: 'info', msg: 'slot acquired', slot: 3 }),
      '12:00:00.123 sink-1 INFO  slot acquired slot=3',
    );
  });

  it('has the names of levels, however they are written', () => {
    assert.match(line({ level: 40, msg: 'x' }), / WARN /);
    assert.match(line({ level: 'error', msg: 'x' }), / ERROR /);
  });

  it('L3: has the message of an error and not its stack', () => {
    const err = {
      type: 'MillraceError',
      message: 'MR_SINK_BUSY: it waits',
      stack: 'Error: …\n at x',
      code: 'MR_SINK_BUSY',
    };
    assert.equal(
      line({ level: 'error', msg: 'slot failed', err }),
      '12:00:00.123 sink-1 ERROR slot failed err="MR_SINK_BUSY: it waits"',
    );
  });

  it('shows one level of what it says else', () => {
    assert.match(
      line({ level: 'info', msg: 'x', connection: { state: 'Connected', since: 5 } }),
      /connection\.state=Connected connection\.since=5$/,
    );
  });

  for (const text of ['plain words', '{"level": "info"', '[1, 2]', '"text"', '', '{"msg": "without level"}']) {
    it(`L1: stays as it is when it is not ours: ${JSON.stringify(text)}`, () => {
      assert.equal(readableLine('sink-1', text), `sink-1 ${text}`);
    });
  }

  it('is written without a time that is none', () => {
    assert.equal(readableLine('sink-1', '{"level":30,"time":"soon","msg":"x"}'), 'sink-1 INFO  x');
  });
});
