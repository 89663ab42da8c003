import assert from 'node:assert/strict';
import { apiVersion, kind } from '../../model/names.ts';
import { OddServer } from './odd-server.ts';
import { runActivity } from './run-activity.ts';

const pipeline = { namespace: 'shop', name: 'orders', uid: 'u-1', cluster: 'c-1' };
const spec = {
  isolation: 'Shared',
  sources: [{ name: 'numbers', generator: {} }],
  sinks: [{ name: 'warehouse', clickhouse: { url: 'http://ch', table: 't', password: '$(secret:ch/password)' } }],
};

describe('a step that waits for a Secret', () => {
  let server: OddServer;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  const rows: readonly [attempt: number, events: number][] = [
    [1, 0],
    [2, 0],
    [3, 1],
    [40, 1],
  ];
  for (const [attempt, events] of rows)
    it(`S2: has ${events === 0 ? 'no' : 'a'} Warning Event at attempt ${attempt}`, async () => {
      const { namespace, name, uid, cluster } = pipeline;
      server.changes.length = 0;
      server.put('Namespace', { name: 'kube-system', uid: cluster });
      server.put(kind, { namespace, name, uid, generation: 1 }, { apiVersion, spec, status: {} });
      const failed = await runActivity(server.kube, pipeline, 'copyCredentials', 'provision', {}, undefined, attempt);
      assert.match(String(failed), /Secret "ch" in namespace "shop" must have key "password"/);
      const told = server.changes.filter(({ resource }) => resource === 'events').map(({ body }) => body);
      assert.equal(told.length, events);
      for (const body of told)
        assert.match(body, /"reason":"SecretMissing".*must have key.*Create it.*"type":"Warning"/s);
    });
});
