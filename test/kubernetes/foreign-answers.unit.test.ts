import assert from 'node:assert/strict';
import { apiVersion, kind } from '../../model/names.ts';
import { MillraceError } from '../../model/errors.ts';
import { askedOf } from '../../kubernetes/asked.ts';
import { KubeError, parseAnswer } from '../../kubernetes/kube-error.ts';
import { createKube, type Kube } from '../../kubernetes/kube.ts';
import { withDefaults } from '../../crds/defaults.ts';
import { inWords, pipelineDoor, type StoredPipeline } from '../../kubernetes/pipelines.ts';

/** Every request is answered so. */
function answering(answer: unknown): Kube {
  const never = () => Promise.reject(new Error('not asked here'));
  return createKube({
    server: 'proxy:443',
    send: () => Promise.resolve(answer),
    open: never,
    close: () => undefined,
  });
}

async function failureOf(asked: Promise<unknown>): Promise<Error> {
  const error: unknown = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error, 'it was believed');
  return error;
}

const spec = { sources: [], sinks: [] };
const orders = { apiVersion, kind, metadata: { name: 'orders', namespace: 'shop', uid: 'u1' }, spec };
const stored = orders as unknown as StoredPipeline;

const foreign: readonly [what: string, answer: unknown][] = [
  ['an empty object', {}],
  ['a text', 'welcome'],
  ['a list', []],
  ['null', null],
  ['what another service says', { ok: true, items: [] }],
  ['a Pipeline of another name', { ...orders, metadata: { ...orders.metadata, name: 'other' } }],
  ['a Pipeline of another namespace', { ...orders, metadata: { ...orders.metadata, namespace: 'other' } }],
  ['a Pipeline of another API', { ...orders, apiVersion: 'tekton.dev/v1' }],
  ['another kind', { ...orders, kind: 'Deployment' }],
  ['a list of another kind', { kind: 'DeploymentList', metadata: {}, items: [] }],
  ['a Status of another object', { kind: 'Status', status: 'Success', details: { name: 'other' } }],
  ['a Status of a failure', { kind: 'Status', status: 'Failure' }],
];

describe('answers that are not about what was asked', () => {
  for (const [what, answer] of foreign) {
    it(`K2: ${what} is believed by no door`, async () => {
      const door = pipelineDoor(answering(answer), 'millrace-cli', withDefaults);
      const asked: Readonly<Record<string, Promise<unknown>>> = {
        get: door.get('shop', 'orders'),
        list: door.list({ namespace: 'shop' }),
        apply: door.apply({ metadata: { name: 'orders', namespace: 'shop' }, spec } as never),
        pause: door.setDesiredState(stored, 'Paused'),
        decide: door.decide(stored, 'continue'),
      };
      for (const [verb, promise] of Object.entries(asked)) {
        const error = await failureOf(promise);
        assert.ok(error instanceof MillraceError, `${verb}: ${error.message}`);
        assert.equal(error.code, 'MR_KUBERNETES_UNAVAILABLE', verb);
        assert.match(error.message, /proxy:443 .* not one of the Kubernetes API: (a |something)/);
      }
    });

    it(`K2: ${what} is no deletion`, async () => {
      // The API server says the object's namespace and version as they are: for a deletion its kind and name count.
      if (/namespace|API/.test(what)) return;
      const door = pipelineDoor(answering(answer), 'millrace-cli', withDefaults);
      const refused = await failureOf(door.remove(stored));
      assert.ok(refused instanceof MillraceError && refused.code === 'MR_KUBERNETES_UNAVAILABLE', refused.message);
      assert.ok((await failureOf(answering(answer).delete(kind, 'orders', 'shop'))) instanceof KubeError);
    });
  }

  it('what is about it is believed', async () => {
    assert.equal(
      (await pipelineDoor(answering(orders), 'millrace-cli', withDefaults).get('shop', 'orders')).metadata.name,
      'orders',
    );
    assert.ok(await answering(orders).delete(kind, 'orders', 'shop'));
    const gone = { kind: 'Status', status: 'Success', details: { name: 'orders', kind: 'pipelines' } };
    assert.ok(await answering(gone).delete(kind, 'orders', 'shop'));
    // The items of a list need not say what they are.
    const { apiVersion: _, kind: __, ...item } = orders;
    const list = { kind: `${kind}List`, metadata: {}, items: [item] };
    const page = await pipelineDoor(answering(list), 'millrace-cli', withDefaults).list({ namespace: 'shop' });
    assert.deepEqual(page.items, [orders]);
  });

  const pages: readonly [body: string, message: RegExp][] = [
    ['404 page not found\n', /the CRD of Pipeline is not installed, or the kubeconfig names another server/],
    ['<html>Not Found</html>', /MR_KUBERNETES_UNAVAILABLE.* status 404, and not by the Kubernetes API: <html>/],
    ['{"error":"no such route"}', /MR_KUBERNETES_UNAVAILABLE.* not by the Kubernetes API: \{"error"/],
    ['', /MR_KUBERNETES_UNAVAILABLE.* an empty page/],
  ];
  for (const [body, message] of pages) {
    it(`a 404 that says ${JSON.stringify(body)} is told as what it is`, () => {
      const asked = askedOf({ method: 'GET', path: `/apis/${apiVersion}/namespaces/shop/pipelines/orders` });
      const error = parseAnswer({ status: 404, body }, asked, 'get Pipeline shop/orders', 'proxy:443');
      assert.ok(!error.isProvenAbsent());
      assert.match(inWords(error, { namespace: 'shop', name: 'orders' }).message, message);
    });
  }
});
