import assert from 'node:assert/strict';
import { mr } from '../../../model/errors.ts';
import { EngineGate } from '../../../workers/controller/engine-gate.ts';

const away = mr('MR_ENGINE_UNAVAILABLE', { address: 'temporal:7233' });
const fail = () => Promise.reject(away);
const answer = () => Promise.resolve();

describe('Temporal while it is away', () => {
  it('is asked once, and then only by the probe', async () => {
    const gate = new EngineGate();
    let asked = 0;
    const ask = () => {
      asked++;
      return fail();
    };
    await assert.rejects(gate.pass(ask), away);
    await assert.rejects(gate.pass(ask), away);
    assert.equal(asked, 1);
    assert.equal(gate.isShut, true);
  });

  it('lets all go on together as soon as it answers, however long it was away', async () => {
    const gate = new EngineGate();
    await assert.rejects(gate.pass(fail));
    gate.wait('shop/a');
    gate.wait('shop/b');
    assert.deepEqual(await gate.probe(fail), []);
    assert.deepEqual(await gate.probe(answer), ['shop/a', 'shop/b']);
    assert.deepEqual([gate.isShut, gate.waiting], [false, 0]);
    await gate.pass(answer);
  });

  it('is not asked by the probe while it answers', async () => {
    const gate = new EngineGate();
    assert.deepEqual(await gate.probe(() => Promise.reject(new Error('must not be asked'))), []);
  });

  it('is not away because of a request that it refuses', async () => {
    const gate = new EngineGate();
    await assert.rejects(gate.pass(() => Promise.reject(new Error('bad request'))));
    assert.equal(gate.isShut, false);
  });
});
