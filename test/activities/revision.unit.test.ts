import assert from 'node:assert/strict';
import { apiVersion, kind } from '../../model/names.ts';
import { OddServer } from './odd-server.ts';
import { runActivity } from './run-activity.ts';

const cluster = 'cluster-1';
const spec = { sources: [{ name: 'numbers', generator: {} }], sinks: [] };

describe('revisions', () => {
  let server: OddServer;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  /** Name and owner of what is written for a pipeline that was created with this uid. */
  async function written(uid: string, content: object = spec) {
    server.changes.length = 0;
    server.objects = new Map();
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    server.put(kind, { name: 'orders', namespace: 'shop', uid, generation: 1 }, { spec: content });
    await runActivity(server.kube, { namespace: 'shop', name: 'orders', uid, cluster }, 'recordRevision', 'provision');
    const [change, ...others] = server.changes.filter(({ resource }) => resource === 'controllerrevisions');
    assert.ok(change, 'none was written');
    assert.deepEqual(others, []);
    const { metadata } = JSON.parse(change.body) as { metadata: { ownerReferences: unknown } };
    return { name: change.name, owners: metadata.ownerReferences };
  }

  it('V0: a pipeline that is created again with the same spec has revisions of its own: those of the former may be left', async () => {
    assert.notEqual((await written('uid-1')).name, (await written('uid-2')).name);
  });

  it('V1: the same spec of the same pipeline is the same object', async () => {
    assert.equal((await written('uid-1')).name, (await written('uid-1')).name);
    assert.notEqual((await written('uid-1', { ...spec, steps: [] })).name, (await written('uid-1')).name);
  });

  it('V2: a revision belongs to the resource', async () => {
    assert.deepEqual((await written('uid-1')).owners, [{ apiVersion, kind, name: 'orders', uid: 'uid-1' }]);
  });
});
