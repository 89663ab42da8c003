import { deepEqual, equal } from 'node:assert/strict';
import { withDefaults } from '../../../crds/defaults.ts';
import { pipelineDoor } from '../../../kubernetes/pipelines.ts';
import { fieldManagers } from '../../../model/names.ts';
import type { Api } from '../../../workers/api/api.ts';
import type { Access } from '../../../workers/api/guard.ts';
import { buildServer } from '../../../workers/api/server.ts';
import { OddServer } from '../../activities/odd-server.ts';
import { runsOf } from './api.ts';

const url = '/v1/namespaces/shop/pipelines/orders/retry';

describe('an Idempotency-Key', () => {
  let cluster: OddServer;
  let ids: string[];
  const servers: Api[] = [];
  before(async () => (cluster = await OddServer.start()));
  beforeEach(() => {
    ids = [];
    cluster.put('Pipeline', { name: 'orders', namespace: 'shop', uid: 'u', generation: 1 }, { spec: {} });
  });
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));
  after(() => cluster.stop());

  async function retryAs(access: Access, callers: readonly string[]): Promise<void> {
    const { kube } = cluster;
    const server = await buildServer({
      ...{ kube, pipelines: pipelineDoor(kube, fieldManagers.api, withDefaults), access },
      ...{ version: '0', planWaitMs: 0, logLevel: 'silent' },
      runs: { ...runsOf(), retry: async (_, id) => void ids.push(id) },
    });
    servers.push(server);
    for (const name of callers) {
      const headers = { authorization: `Bearer ${name}`, 'idempotency-key': 'deploy-17' };
      await server.inject({ method: 'POST', url, headers });
    }
  }

  it("is one caller's own", async () => {
    const identity = {
      authenticate: async (name: string) => ({ name, groups: [], extra: {} }),
      authorise: () => Promise.resolve(),
      kubeOf: () => cluster.kube,
    };
    await retryAs({ identity }, ['mallory', 'jane', 'jane']);
    // Of two with one id the second is answered, audited as done, and not carried out.
    const [mallory, jane, again] = ids;
    deepEqual([new Set(ids).size, again], [2, jane]);
    equal(ids.includes('deploy-17'), false, mallory);
  });

  it('is as it was sent where callers are not told apart', async () => {
    await retryAs({}, ['mallory', 'jane']);
    deepEqual(ids, ['deploy-17', 'deploy-17']);
  });
});
