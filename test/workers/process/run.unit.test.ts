import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { aborted, untilAskedToStop } from '../../../workers/process/run.ts';

const signals = ['SIGTERM', 'SIGINT'] as const;

describe('a process of Millrace', () => {
  const said: unknown[] = [];
  const log = { fatal: (...words: unknown[]) => said.push(words), warn: (...words: unknown[]) => said.push(words) };
  const listeners = () => signals.map((name) => process.listenerCount(name));
  const before = listeners();
  beforeEach(() => said.splice(0));
  afterEach(() => assert.deepEqual(listeners(), before, 'a listener is left behind'));

  for (const name of signals) {
    it(`P1: ends with 0 on ${name}, after what was begun has ended`, async () => {
      let ended = false;
      const code = untilAskedToStop(log, async (stop) => {
        await aborted(stop);
        await delay(1);
        ended = true;
      });
      process.emit(name, name);
      assert.deepEqual([await code, ended, said], [0, true, []]);
    });
  }

  it('P1: ends with 0 and without a word when a wait was interrupted', async () => {
    const code = untilAskedToStop(log, (stop) => delay(60_000, undefined, { signal: stop }));
    process.emit('SIGTERM', 'SIGTERM');
    assert.deepEqual([await code, said], [0, []]);
  });

  it('P1: ends with 0 and logs what went wrong on the way out', async () => {
    const broken = new Error('the connection did not close');
    const code = untilAskedToStop(log, async (stop) => {
      await aborted(stop);
      throw broken;
    });
    process.emit('SIGTERM', 'SIGTERM');
    assert.deepEqual([await code, said], [0, [[{ err: broken }, 'stopped, with an error on the way out']]]);
  });

  it('P2: ends with 1 and logs once when its work fails by itself', async () => {
    const broken = new Error('no');
    const code = await untilAskedToStop(log, () => Promise.reject(broken));
    assert.deepEqual([code, said], [1, [[{ err: broken }, 'the process failed']]]);
  });

  it('P3: leaves a second signal to Node, which ends the process at once', async () => {
    let end: (() => void) | undefined;
    const code = untilAskedToStop(log, () => new Promise<void>((resolve) => (end = resolve)));
    process.emit('SIGTERM', 'SIGTERM');
    assert.deepEqual(listeners(), before);
    end?.();
    assert.equal(await code, 0);
  });
});
