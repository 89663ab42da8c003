import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { problemSchema } from '../../../client/wire.ts';
import { withDefaults } from '../../../crds/defaults.ts';
import { createKube, type Kube } from '../../../kubernetes/kube.ts';
import { pipelineDoor } from '../../../kubernetes/pipelines.ts';
import { fieldManagers, group, kind, plural } from '../../../model/names.ts';
import { impersonationModes } from '../../../model/rights.ts';
import type { Api } from '../../../workers/api/api.ts';
import type { AuthConfig } from '../../../workers/api/config.ts';
import { identityOf } from '../../../workers/api/identity/of-config.ts';
import { buildServer } from '../../../workers/api/server.ts';
import { eventually } from '../../support/eventually.ts';
import { runsOf } from './api.ts';
import { converged, spec, useCluster } from './cluster.ts';
import { allow, kubeOfApi, kubeWith, makeAccount, pipelineRule, type Account } from './people.ts';

const admission = 'admissionregistration.k8s.io';
const everything = ['get', 'list', 'create', 'patch', 'delete'];
const kubernetesMode: AuthConfig = { mode: 'kubernetes', audiences: [], roles: 'mr:millrace', extraKeys: [] };

describe('callers whom Kubernetes knows', function () {
  const cluster = useCluster();
  const kubes: Kube[] = [];
  const apis: Api[] = [];
  let shop: string;
  let editor: Account;
  let viewer: Account;
  let producer: Account;

  before(async () => {
    shop = await cluster().namespace();
    const { kube } = cluster();
    [editor, viewer, producer] = [
      await makeAccount(kube, shop, 'editor'),
      await makeAccount(kube, shop, 'viewer'),
      await makeAccount(kube, shop, 'producer'),
    ];
    await allow(kube, editor.subject, [pipelineRule(...everything)], shop);
    await allow(kube, viewer.subject, [pipelineRule('get', 'list')], shop);
    const records = { apiGroups: [group], resources: [`${plural}/records`], verbs: ['create'] };
    await allow(kube, producer.subject, [records], shop);
  });
  after(async () => {
    await Promise.all(apis.map((api) => api.close()));
    for (const kube of kubes) kube.close();
  });

  async function apiOf(kube: Kube, auth = kubernetesMode): Promise<Api> {
    kubes.push(kube);
    const api = await buildServer({
      ...{ kube, runs: runsOf(), version: '0', logLevel: 'silent', planWaitMs: 50 },
      pipelines: pipelineDoor(kube, fieldManagers.api, withDefaults),
      access: { identity: identityOf(auth, kube) },
    });
    apis.push(api);
    return api;
  }

  const urlOf = (name: string, rest = '') => `/v1/namespaces/${shop}/pipelines/${name}${rest}`;

  async function ask(api: Api, token: string | undefined, request: InjectOptions) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await api.inject({ ...request, headers: { ...request.headers, ...headers } });
    const isProblem = String(answer.headers['content-type']).startsWith('application/problem');
    const problem = isProblem ? problemSchema.parse(answer.json()) : undefined;
    return { status: answer.statusCode, code: problem?.code, detail: problem?.detail ?? '', answer };
  }

  for (const impersonation of impersonationModes) {
    describe(`by ${impersonation} impersonation`, () => {
      let api: Api;
      before(async () => {
        api = await apiOf(await kubeOfApi(cluster(), 'kubernetes', impersonation));
      });

      it('does in the name of its callers what their roles allow', async () => {
        const token = await editor.token();
        const name = `orders-${impersonation}`;
        const put = await ask(api, token, { method: 'PUT', url: urlOf(name), payload: { spec } });
        assert.equal(put.status, 202, put.detail);
        assert.equal((await ask(api, token, { method: 'GET', url: urlOf(name) })).status, 200);
        const { generation = 0 } = (await cluster().kube.get(kind, name, shop))?.metadata ?? {};
        await cluster().writeStatus(shop, name, converged(generation));
        for (const verb of ['pause', 'resume', 'stop', 'retry']) {
          const done = await ask(api, token, { method: 'POST', url: urlOf(name, `/${verb}`) });
          assert.ok(done.status < 300, `${verb}: ${done.detail}`);
        }
        const list = await ask(api, token, { method: 'GET', url: `/v1/namespaces/${shop}/pipelines` });
        assert.equal(list.status, 200);
        const gone = await ask(api, token, { method: 'DELETE', url: `${urlOf(name)}?force=true` });
        assert.equal(gone.status, 202, gone.detail);
      });

      it('does nothing that a role does not allow, and says who, what, where, and what would help', async () => {
        const token = await viewer.token();
        const { status, code, detail } = await ask(api, token, { method: 'PUT', url: urlOf('a'), payload: { spec } });
        assert.deepEqual([status, code], [403, 'MR_CALLER_FORBIDDEN']);
        assert.ok(detail.includes(`"${viewer.name}" may not patch pipelines.millrace.io "a" in namespace "${shop}"`));
        assert.ok(
          detail.includes(
            `kubectl -n ${shop} create rolebinding BINDING --clusterrole=mr:millrace:edit --serviceaccount=${shop}:viewer`,
          ),
          detail,
        );
        assert.equal(await cluster().kube.get(kind, 'a', shop), undefined);
      });
    });
  }

  describe('with the rights of the chart', () => {
    let api: Api;
    let kube: Kube;
    before(async () => {
      kube = await kubeOfApi(cluster(), 'kubernetes', 'constrained');
      api = await apiOf(kube);
      const put = await ask(api, await editor.token(), { method: 'PUT', url: urlOf('orders'), payload: { spec } });
      assert.equal(put.status, 202);
    });

    it('refuses whoever may not see a pipeline in the same words, whether or not there is one', async () => {
      const token = await producer.token();
      const requests: readonly InjectOptions[] = [
        { method: 'GET' },
        { method: 'PUT', payload: { spec } },
        { method: 'DELETE' },
      ];
      for (const request of requests) {
        const [there, absent] = [
          await ask(api, token, { ...request, url: urlOf('orders') }),
          await ask(api, token, { ...request, url: urlOf('absent') }),
        ];
        assert.deepEqual([there.status, there.code], [403, 'MR_CALLER_FORBIDDEN']);
        assert.equal(there.detail.replaceAll('orders', 'X'), absent.detail.replaceAll('absent', 'X'));
        assert.equal(absent.status, 403);
      }
      const elsewhere = await ask(api, token, { method: 'GET', url: '/v1/namespaces/nowhere/pipelines' });
      assert.deepEqual([elsewhere.status, elsewhere.code], [403, 'MR_CALLER_FORBIDDEN']);
      // Whoever may see them is told.
      const known = await ask(api, await viewer.token(), { method: 'GET', url: urlOf('absent') });
      assert.deepEqual([known.status, known.code], [404, 'MR_PIPELINE_NOT_FOUND']);
    });

    it('tells a list of one namespace from one of all', async () => {
      const token = await viewer.token();
      assert.equal((await ask(api, token, { method: 'GET', url: `/v1/namespaces/${shop}/pipelines` })).status, 200);
      const all = await ask(api, token, { method: 'GET', url: '/v1/pipelines' });
      assert.deepEqual([all.status, all.code], [403, 'MR_CALLER_FORBIDDEN']);
      assert.match(all.detail, /may not list pipelines\.millrace\.io in all namespaces.*create clusterrolebinding/);
    });

    it('takes records of those who may do nothing else, and of nobody who may only look', async () => {
      const url = urlOf('orders', '/records');
      const headers = { 'content-type': 'application/json' };
      const sent = await ask(api, await producer.token(), { method: 'POST', url, headers, payload: '{}' });
      // It is a pipeline without an http source: only a source can say so.
      assert.deepEqual([sent.status, sent.code], [409, 'MR_SOURCE_TAKES_NO_RECORDS']);
      const { code, detail } = await ask(api, await viewer.token(), { method: 'POST', url, headers, payload: '{}' });
      assert.equal(code, 'MR_CALLER_FORBIDDEN');
      assert.match(detail, /create pipelines\/records\.millrace\.io "orders".*--clusterrole=mr:millrace:records/);
    });

    it('takes no name that leads elsewhere, in a path or a body', async () => {
      const token = await editor.token();
      const paths = [
        '/v1/namespaces/%2e%2e/pipelines/orders',
        `/v1/namespaces/${shop}/pipelines/%2e%2e`,
        `/v1/namespaces/${shop}/pipelines/..%2f..%2fsecrets%2fa`,
        `/v1/namespaces/${shop}%2fpipelines%2forders%3f/pipelines/orders`,
        `/v1/namespaces/${shop}/pipelines/orders%00`,
        `/v1/namespaces/${shop}/pipelines/orders%0d%0aImpersonate-User:%20admin`,
        `/v1/namespaces/${shop}/../kube-system/pipelines/orders`,
      ];
      for (const url of paths) {
        for (const method of ['GET', 'DELETE'] as const) {
          const { status, code } = await ask(api, token, { method, url });
          assert.ok([400, 403, 404].includes(status), `${method} ${url}: ${status} ${code}`);
          assert.notEqual(code, 'MR_PIPELINE_NOT_FOUND', 'Kubernetes was not asked for it');
        }
      }
      const payload = { metadata: { namespace: 'kube-system', name: 'orders' }, spec };
      const { code } = await ask(api, token, { method: 'PUT', url: urlOf('orders'), payload });
      assert.equal(code, 'MR_REQUEST_INVALID');
    });

    it('is seen by admission as the caller', async () => {
      const mine = "object.metadata.labels['who'] == request.userInfo.username.split(':')[3]";
      const policy = {
        ...{ apiVersion: `${admission}/v1`, kind: 'ValidatingAdmissionPolicy', metadata: { name: 'who' } },
        spec: {
          matchConstraints: {
            resourceRules: [
              { apiGroups: [group], apiVersions: ['*'], resources: [plural], operations: ['CREATE', 'UPDATE'] },
            ],
            objectSelector: { matchExpressions: [{ key: 'who', operator: 'Exists' }] },
          },
          validations: [{ expression: mine, messageExpression: "'this is ' + request.userInfo.username" }],
        },
      };
      const binding = {
        ...{ apiVersion: `${admission}/v1`, kind: 'ValidatingAdmissionPolicyBinding', metadata: { name: 'who' } },
        spec: { policyName: 'who', validationActions: ['Deny'] },
      };
      for (const [resource, body] of [
        ['policies', policy],
        ['policybindings', binding],
      ] as const) {
        const path = `/apis/${admission}/v1/validatingadmission${resource}`;
        await cluster().kube.transport.send({ method: 'POST', path, body, what: `create ${resource}` });
      }
      const token = await editor.token();
      const put = (who: string) =>
        ask(api, token, {
          method: 'PUT',
          url: `${urlOf('labelled')}?dryRun=true`,
          payload: { metadata: { labels: { who } }, spec },
        });
      // A policy is in force a moment after it was made.
      const refused = await eventually(async () => {
        const answer = await put('api');
        assert.notEqual(answer.status, 200);
        return answer;
      });
      assert.ok(refused.detail.includes(`this is ${editor.name}`), refused.detail);
      assert.equal((await put('editor')).status, 200);
    });

    it('needs the right to create, too, where a PUT would make a pipeline', async () => {
      const patcher = await makeAccount(cluster().kube, shop, 'patcher');
      await allow(cluster().kube, patcher.subject, [pipelineRule('get', 'patch')], shop);
      const token = await patcher.token();
      const { code, detail } = await ask(api, token, { method: 'PUT', url: urlOf('new'), payload: { spec } });
      assert.deepEqual([code, /may not create/.test(detail)], ['MR_CALLER_FORBIDDEN', true], detail);
      assert.equal(await cluster().kube.get(kind, 'new', shop), undefined);
      assert.ok((await ask(api, token, { method: 'POST', url: urlOf('orders', '/pause') })).status < 300);
      const forced = await ask(api, token, { method: 'DELETE', url: `${urlOf('orders')}?force=true` });
      assert.equal(forced.code, 'MR_CALLER_FORBIDDEN');
    });

    it('honours a role that names one pipeline', async () => {
      const one = await makeAccount(cluster().kube, shop, 'one');
      const rule = { ...pipelineRule('get'), resourceNames: ['orders'] };
      await allow(cluster().kube, one.subject, [rule], shop);
      const token = await one.token();
      assert.equal((await ask(api, token, { method: 'GET', url: urlOf('orders') })).status, 200);
      assert.equal((await ask(api, token, { method: 'GET', url: urlOf('other') })).status, 403);
    });

    it('does not know a token that Kubernetes does not, one that is none, and one for somebody else', async () => {
      const [header = '', payload = '', signature = ''] = (await editor.token()).split('.');
      const broken = `${header}.${payload}.${signature.slice(0, -8)}AAAAAAAA`;
      for (const token of [broken, 'x', await editor.token(['another-program'])]) {
        const { status, code, answer } = await ask(api, token, { method: 'GET', url: urlOf('orders') });
        assert.deepEqual([status, code], [401, 'MR_NOT_AUTHENTICATED']);
        assert.equal(answer.headers['www-authenticate'], 'Bearer realm="millrace", error="invalid_token"');
        assert.ok(!answer.body.includes(token) || token === 'x');
      }
      const { status, answer } = await ask(api, undefined, { method: 'GET', url: urlOf('orders') });
      assert.deepEqual([status, answer.headers['www-authenticate']], [401, 'Bearer realm="millrace"']);
      const known = await ask(api, await viewer.token(), { method: 'PUT', url: urlOf('a'), payload: { spec } });
      assert.deepEqual([known.status, known.answer.headers['www-authenticate']], [403, undefined]);
    });

    it('takes tokens that are made for it and no others, where audiences are named', async () => {
      const ours = await apiOf(kube, { ...kubernetesMode, audiences: ['millrace'] });
      const look = async (audiences?: readonly string[]) =>
        (await ask(ours, await viewer.token(audiences), { method: 'GET', url: urlOf('orders') })).status;
      assert.deepEqual([await look(['millrace']), await look(), await look(['other'])], [200, 401, 401]);
    });

    it('says of a path that is none, and of metrics, no more than to those who are known', async () => {
      const token = await viewer.token();
      assert.equal((await ask(api, undefined, { method: 'GET', url: '/v2/x' })).status, 401);
      assert.equal((await ask(api, token, { method: 'GET', url: '/v2/x' })).status, 404);
      const metrics = await ask(api, token, { method: 'GET', url: '/metrics' });
      assert.deepEqual([metrics.code, /nonResourceURLs/.test(metrics.detail)], ['MR_CALLER_FORBIDDEN', true]);
      await allow(cluster().kube, viewer.subject, [monitoring]);
      const allowed = await apiOf(kube);
      assert.equal((await ask(allowed, token, { method: 'GET', url: '/metrics' })).status, 200);
    });

    it('has no right of its own to change a pipeline, nor to act as somebody with anything else', async () => {
      const bare = createKube(kube.transport);
      await assert.rejects(bare.delete(kind, 'orders', shop), /forbidden/);
      const as = { 'impersonate-user': 'jane', 'impersonate-group': ['system:masters'] };
      for (const path of ['/api/v1/namespaces/kube-system/secrets', `/apis/${group}/v1alpha1/${plural}`]) {
        await assert.rejects(kube.transport.send({ method: 'GET', path, as, what: 'look' }), /cannot impersonate/);
      }
    });
  });

  it('says that it is the API to which a right is missing, where it may not act in the name of others', async () => {
    const account = await makeAccount(cluster().kube, shop, 'half-an-api');
    const half = [
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
    ];
    await allow(cluster().kube, account.subject, half);
    const api = await apiOf(await kubeWith(cluster().kubernetes.kubeconfigPath, await account.token()));
    const { status, code } = await ask(api, await viewer.token(), { method: 'GET', url: urlOf('orders') });
    assert.deepEqual([status, code], [503, 'MR_IMPERSONATION_REFUSED']);
  });

  it('lets nobody in while it may not ask, or Kubernetes does not answer', async () => {
    const account = await makeAccount(cluster().kube, shop, 'no-api');
    const dumb = await apiOf(await kubeWith(cluster().kubernetes.kubeconfigPath, await account.token()));
    const gone = await apiOf(createKube(unreachable(cluster().kube)));
    for (const api of [dumb, gone]) {
      const { status, code, answer } = await ask(api, await editor.token(), { method: 'GET', url: urlOf('orders') });
      assert.deepEqual([status, code, answer.headers['retry-after']], [503, 'MR_IDENTITY_UNKNOWN', '1']);
      assert.equal(answer.headers['www-authenticate'], undefined);
    }
  });
});

const monitoring = { apiGroups: [], resources: [], nonResourceURLs: ['/metrics'], verbs: ['get'] };

function unreachable(kube: Kube) {
  const fail = () => kube.transport.send({ method: 'GET', path: '/no/such/path', what: 'nothing' });
  return { ...kube.transport, send: fail };
}
