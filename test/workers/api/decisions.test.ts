import assert from 'node:assert/strict';
import { MillraceProblem } from '../../../client/problem.ts';
import { definePipeline } from '../../../client/define.ts';
import { Millrace } from '../../../client/millrace.ts';
import { storedPipeline } from '../../../client/wire.ts';
import { annotations, kind } from '../../../model/names.ts';
import type { Api } from '../../../workers/api/api.ts';
import { millrace } from '../../cli/millrace.ts';
import { apiOn } from './api.ts';
import { condition, converged, spec, useCluster } from './cluster.ts';

/** How each door says it, and what it answers: the code of the error, or that it was taken. */
type Door = (name: string, token: string, choice: string) => Promise<string>;

describe('a decision, through every door', () => {
  const cluster = useCluster();
  let api: Api;
  let client: Millrace;
  let namespace: string;

  before(async () => {
    api = await apiOn(cluster().kube);
    client = await Millrace.connect({ api: await api.listen({ host: '127.0.0.1', port: 0 }), token: 'none' });
  });
  beforeEach(async () => {
    namespace = await cluster().namespace();
  });
  after(async () => {
    await client.close();
    await api.close();
  });

  const asks = {
    ...condition('Ready', 'False', 'EdgeLost'),
    message: 'Else `millrace decide orders -n shop records.lost accept-loss` goes on.',
  };
  const at = (name: string) => ({ name, namespace });

  async function pipeline(name: string): Promise<void> {
    await client.pipelines.apply(definePipeline({ name, namespace, spec }));
    await cluster().writeStatus(namespace, name, { observedGeneration: 1, conditions: [asks] });
  }

  async function annotation(name: string): Promise<string | undefined> {
    const stored = storedPipeline.parse(await cluster().kube.get(kind, name, namespace));
    return stored.metadata.annotations?.[annotations.decision];
  }

  /** As the lifecycle does once it has looked. */
  async function answer(name: string, problem?: string): Promise<void> {
    const decision = {
      text: (await annotation(name)) ?? '',
      at: '2026-05-01T12:00:00Z',
      ...(problem === undefined ? {} : { problem }),
    };
    await cluster().writeStatus(namespace, name, { observedGeneration: 1, conditions: [asks], decision });
  }

  const doors: Readonly<Record<string, Door>> = {
    async REST(name, token, choice) {
      const url = `/v1/namespaces/${namespace}/pipelines/${name}/decide`;
      const response = await api.inject({ method: 'POST', url, payload: { token, choice } });
      const { code, state } = response.json<{ code?: string; state?: string }>();
      return code ?? String(state);
    },
    async client(name, token, choice) {
      try {
        const decision = { token, choice: choice === 'reread' ? 'reread' : 'accept-loss' } as const;
        return (await client.pipelines.decide(at(name), decision)).state;
      } catch (error) {
        assert.ok(error instanceof MillraceProblem, String(error));
        return error.code;
      }
    },
    async command(name, token, choice) {
      const env = { KUBECONFIG: cluster().kubernetes.kubeconfigPath };
      const { code, stderr } = await millrace(['decide', name, token, choice, '-n', namespace], { env });
      return code === 0 ? 'Accepted' : (/MR_\w+/.exec(stderr)?.[0] ?? stderr);
    },
  };

  for (const [door, say] of Object.entries(doors)) {
    it(`${door}: is an annotation, refused while an earlier one waits, where nothing asks, and of what is not there`, async () => {
      await pipeline('orders');
      assert.equal(await say('orders', 'records.9', 'reread'), 'MR_DECISION_REFUSED');
      assert.equal(await say('orders', 'what', 'reread'), 'MR_DECISION_REFUSED');
      assert.equal(await annotation('orders'), undefined);
      assert.equal(await say('orders', 'records.lost', 'reread'), 'Accepted');
      assert.match((await annotation('orders')) ?? '', /^records\.lost=reread@/);
      assert.equal(await say('orders', 'records.lost', 'accept-loss'), 'MR_DECISION_REFUSED');
      await answer('orders');
      assert.equal(await say('orders', 'records.lost', 'accept-loss'), 'Accepted');
      assert.equal(await say('missing', 'records.lost', 'reread'), 'MR_PIPELINE_NOT_FOUND');
    });
  }

  it('with an Idempotency-Key it is one, and says what became of it', async () => {
    await pipeline('orders');
    const decide = () =>
      client.pipelines.decide(
        at('orders'),
        { token: 'records.lost', choice: 'reread' },
        { requestId: 'a key, of any form' },
      );
    const { decision } = await decide();
    assert.deepEqual(await decide(), { decision, state: 'Accepted' });
    await answer('orders');
    assert.deepEqual(await decide(), { decision, state: 'CarriedOut' });
    await answer('orders', 'stream mr-orders is there');
    await assert.rejects(decide(), (error) => {
      assert.ok(error instanceof MillraceProblem);
      assert.deepEqual([error.code, error.problem.status], ['MR_DECISION_REFUSED', 409]);
      assert.match(
        error.problem.detail,
        /^Decision "records\.lost=reread@[0-9a-f]{32}" was not carried out: stream mr-orders is there\. /,
      );
      return true;
    });
  });

  for (const payload of [
    {},
    { token: 1, choice: 'reread' },
    { token: 'records.1', choice: 'both' },
    { token: 'records.1', choice: 'reread', more: 1 },
    null,
  ]) {
    it(`REST: a body that is none is told in our words: ${JSON.stringify(payload)}`, async () => {
      await pipeline('orders');
      const response = await api.inject({
        method: 'POST',
        url: `/v1/namespaces/${namespace}/pipelines/orders/decide`,
        headers: { 'content-type': 'application/json' },
        payload: JSON.stringify(payload),
      });
      assert.equal(response.statusCode, 400);
      assert.match(
        response.body,
        /body: it must be an object with `token`, a text, and `choice`, one of accept-loss, reread/,
      );
    });
  }

  const decideAndWait = () =>
    millrace(['decide', 'orders', 'records.lost', 'reread', '--wait', '--timeout', '20s', '-n', namespace], {
      env: { KUBECONFIG: cluster().kubernetes.kubeconfigPath },
    });

  async function untilSaid(): Promise<void> {
    while ((await annotation('orders')) === undefined) await new Promise(setImmediate);
  }

  it('millrace decide --wait ends when it is carried out and the pipeline is ready', async () => {
    await pipeline('orders');
    const ran = decideAndWait();
    await untilSaid();
    await answer('orders');
    const text = (await annotation('orders')) ?? '';
    await cluster().writeStatus(namespace, 'orders', {
      ...converged(1),
      decision: { text, at: '2026-05-01T12:00:00Z' },
    });
    const { code, stdout, stderr } = await ran;
    assert.deepEqual([code, stdout], [0, 'pipeline/orders decided: records.lost reread; it is ready\n'], stderr);
  });

  it('millrace decide --wait ends with 7 when it is refused, and says why', async () => {
    await pipeline('orders');
    const ran = decideAndWait();
    await untilSaid();
    await answer('orders', 'stream mr-orders is there');
    const { code, stderr } = await ran;
    assert.equal(code, 7);
    assert.match(stderr, /was not carried out: stream mr-orders is there\./);
  });
});
