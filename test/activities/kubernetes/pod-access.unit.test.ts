/** The Secrets of a pipeline's pods, as the step of an operation writes and removes them. */
import { deepEqual, match, ok } from 'node:assert/strict';
import { z } from 'zod';
import type { PodAccess } from '../../../activities/index.ts';
import { annotations, apiVersion, kind, labels } from '../../../model/names.ts';
import { podAccessFrom } from '../../../workers/lifecycle/pod-access.ts';
import { noAccess } from '../no-access.ts';
import { OddServer } from '../odd-server.ts';
import { attemptOf, runActivity } from '../run-activity.ts';

const pipeline = { namespace: 'shop', name: 'orders', uid: 'u-1', cluster: 'c-1' };
const { namespace, name, uid, cluster } = pipeline;
const applied = z.looseObject({ metadata: z.looseObject({ name: z.string(), namespace: z.string() }) });
const secret = z.looseObject({ data: z.object({ '.dockerconfigjson': z.string() }) });

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

  /** The server has it from now on, as it was written last. */
  function keep(what: 'ConfigMap' | 'Deployment' | 'Secret'): void {
    const { body = '' } =
      changesOf(`${what.toLowerCase()}s`).findLast((each) => each.body.includes('apiVersion')) ?? {};
    const { metadata, ...more } = applied.parse(JSON.parse(body));
    server.put(what, { ...metadata, uid: `uid-${what}` }, more);
  }

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

  it('S6: writes the Secret to pull with again when it is another one, while pods of a stage are waited for', async () => {
    const act = (step: 'applyPlan' | 'applyStage' | 'waitStage', podAccess = noAccess) => {
      const about = { stage: 'sink-warehouse', replicas: 1 };
      return attemptOf(server.kube, pipeline, step, 'provision', about, undefined, 2, podAccess);
    };
    await act('applyPlan').run();
    keep('ConfigMap');
    await act('applyStage').run();
    keep('Deployment');
    const pulling = { waiting: { reason: 'ImagePullBackOff' } };
    const owned = { [labels.pipelineUid]: uid, [labels.stage]: 'sink-warehouse' };
    const status = { containerStatuses: [{ state: pulling }] };
    server.put('Pod', { namespace, name: 'sink-1', uid: 'uid-sink-1', labels: owned }, { status });
    const [first, next] = ['{"auths":{"a":{}}}', '{"auths":{"b":{}}}'];
    const following = (config: string): PodAccess => ({
      ...noAccess,
      pullConfig: () => {
        if (changesOf('secrets').length > 0) keep('Secret');
        return config;
      },
    });
    // Each looks several times.
    for (const config of [first, next]) await act('waitStage', following(config)).run();
    const written = changesOf('secrets').map(({ body }) => secret.parse(JSON.parse(body)).data['.dockerconfigjson']);
    deepEqual(
      written.map((text) => Buffer.from(text, 'base64').toString()),
      [first, next],
    );
  });
});
