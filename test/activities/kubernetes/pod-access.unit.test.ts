/** The Secrets of a pipeline's pods, as the step of an operation writes and removes them. */
import { deepEqual, match, ok } from 'node:assert/strict';
import type { PodAccess } from '../../../activities/index.ts';
import { annotations, apiVersion, kind, labels } from '../../../model/names.ts';
import { podAccessFrom } from '../../../workers/lifecycle/pod-access.ts';
import { noAccess } from '../no-access.ts';
import { OddServer } from '../odd-server.ts';
import { runActivity } from '../run-activity.ts';

const pipeline = { namespace: 'shop', name: 'orders', uid: 'u-1', cluster: 'c-1' };
const { namespace, name, uid, cluster } = pipeline;

describe('access of pods, in the surroundings of a pipeline', () => {
  let server: OddServer;
  beforeEach(async () => {
    server = await OddServer.start();
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    const spec = {
      ...{ isolation: 'Shared', sources: [{ name: 'numbers', generator: {} }] },
      sinks: [{ name: 'warehouse', clickhouse: { url: 'http://ch', table: 't' } }],
    };
    server.put(kind, { namespace, name, uid, generation: 1 }, { apiVersion, spec, status: {} });
  });
  afterEach(() => server.stop());

  function put(secret: string, of: string): void {
    const owned = { labels: { [labels.pipelineUid]: of }, annotations: { [annotations.cluster]: cluster } };
    server.put('Secret', { namespace, name: secret, uid: `uid-${secret}`, ...owned });
  }
  async function ensure(podAccess: PodAccess): Promise<unknown> {
    return runActivity(server.kube, pipeline, 'ensureNamespace', 'provision', {}, undefined, 2, podAccess);
  }
  /** What was asked of the server about an object, with the bodies. */
  const changesOf = (resource: string) =>
    server.changes.filter((each) => each.resource === resource).map(({ verb, name: of, body }) => ({ verb, of, body }));

  it('S3: writes both, and an account that pulls with one of them', async () => {
    await ensure({ nats: () => Promise.resolve({ token: 't' }), pullConfig: () => '{"auths":{}}' });
    const [nats, pull] = changesOf('secrets');
    deepEqual([nats?.of, pull?.of], ['orders-nats-access', 'orders-image-pull']);
    match(nats?.body ?? '', /"data":\{"token":"dA=="\}/);
    match(
      pull?.body ?? '',
      /"type":"kubernetes.io\/dockerconfigjson","data":\{"\.dockerconfigjson":"eyJhdXRocyI6e319"\}/,
    );
    match(changesOf('serviceaccounts')[0]?.body ?? '', /"imagePullSecrets":\[\{"name":"orders-image-pull"\}\]/);
  });

  it('S4: removes those of an earlier time, and not what belongs to others', async () => {
    put('orders-nats-access', uid);
    put('orders-image-pull', 'someone');
    await ensure(noAccess);
    deepEqual(
      changesOf('secrets').map(({ verb, of }) => `${verb} ${of}`),
      ['DELETE orders-nats-access'],
    );
    ok(!(changesOf('serviceaccounts')[0]?.body ?? '').includes('imagePullSecrets'));
  });

  it('writes nothing while what is configured cannot be used, and tries again', async () => {
    const failure = await ensure(podAccessFrom({ natsAccessDir: '/nowhere', pullConfigs: undefined }));
    match(String(failure), /\/nowhere, with which NATS is accessed, cannot be used/);
    ok(typeof failure === 'object' && failure !== null && 'nonRetryable' in failure && failure.nonRetryable === false);
    deepEqual(changesOf('serviceaccounts'), []);
  });
});
