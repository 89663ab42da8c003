import { deepEqual, equal, rejects } from 'node:assert/strict';
import { createKube } from '../../../kubernetes/kube.ts';
import { pipelineDoor } from '../../../kubernetes/pipelines.ts';
import { withDefaults } from '../../../crds/defaults.ts';
import { mr } from '../../../model/errors.ts';
import { fieldManagers } from '../../../model/names.ts';
import { recordTargets } from '../../../workers/api/record-targets.ts';
import { OddServer } from '../../activities/odd-server.ts';

const at = { namespace: 'shop', name: 'orders', source: null };

describe('where records go', () => {
  let cluster: OddServer;
  let asked: number;
  let charged: number;
  let now: number;
  const charge = () => {
    charged++;
  };
  before(async () => (cluster = await OddServer.start()));
  beforeEach(() => {
    asked = charged = now = 0;
  });
  after(() => cluster.stop());

  function targets() {
    const { transport } = cluster.kube;
    const send: typeof transport.send = (request) => (asked++, transport.send(request));
    const kube = createKube({ ...transport, send });
    return recordTargets(kube, pipelineDoor(kube, fieldManagers.api, withDefaults), () => now);
  }

  it('is looked for once in a second, and charged once, also where there is nothing', async () => {
    const { next } = targets();
    for (const time of [0, 999]) {
      now = time;
      for (let count = 0; count < 50; count++) {
        await rejects(next(at, charge), { code: 'MR_PIPELINE_NOT_FOUND' });
      }
      deepEqual([asked, charged], [1, 1]);
    }
    now = 1_001;
    await rejects(next(at, charge), { code: 'MR_PIPELINE_NOT_FOUND' });
    deepEqual([asked, charged], [2, 2]);
  });

  it('is not looked for on behalf of whoever has asked too much', async () => {
    const tooMuch = mr('MR_TOO_MANY_REQUESTS', { from: 'of one caller', rate: 1, burst: 1 });
    const refuse = () => {
      throw tooMuch;
    };
    const { next } = targets();
    await rejects(next(at, refuse), tooMuch);
    equal(asked, 0);
    await rejects(next(at, charge), { code: 'MR_PIPELINE_NOT_FOUND' });
    await rejects(next(at, refuse), { code: 'MR_PIPELINE_NOT_FOUND' }, 'known, and so free');
  });
});
