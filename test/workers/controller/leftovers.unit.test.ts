import assert from 'node:assert/strict';
import { MillraceError } from '../../../model/errors.ts';
import type { PipelineRef } from '../../../model/lifecycle.ts';
import { annotations, kind, labels, pidOf } from '../../../model/names.ts';
import type { JetStreamPort } from '../../../stream/jetstream-port.ts';
import { Leftovers } from '../../../workers/controller/leftovers.ts';
import { isOfKubernetes, oddAnswers } from '../../activities/odd-answers.ts';
import { OddServer } from '../../activities/odd-server.ts';

const cluster = 'cluster-1';
const distanceMs = 30_000;
/** Every place has had its turn, and what was found there was proven twice. */
const round = 12;

describe('what is left of pipelines that are gone', () => {
  let server: OddServer;
  let now: number;
  let told: string[];
  let known: Set<string>;
  let streams: Map<string, Record<string, string>>;
  let entities: Omit<PipelineRef, 'cluster'>[];
  let leftovers: Leftovers;

  before(async () => (server = await OddServer.start()));
  after(() => server.stop());
  beforeEach(() => {
    now = 0;
    told = [];
    known = new Set();
    streams = new Map();
    entities = [];
    server.oddity = () => null;
    server.objects = new Map();
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    leftovers = new Leftovers({
      kube: server.kube,
      streams: () => listing(streams),
      cluster: () => Promise.resolve(cluster),
      isKnown: (of) => known.has('uid' in of ? of.uid : of.pid),
      tell: ({ name }, trace) => Promise.resolve(void told.push(`${name}: ${trace}`)),
      now: () => now,
      distanceMs,
    });
  });

  async function sweep(times = 1, everyMs = distanceMs): Promise<void> {
    for (let time = 0; time < times; time++) {
      now += everyMs;
      // What a look fails with is logged by the controller, and the next one comes all the same.
      const failure: unknown = await leftovers.sweep({ own: entities }).catch((error: unknown) => error);
      assert(failure === undefined || isOfKubernetes(failure) || isOfAnotherCluster(failure), String(failure));
    }
  }

  const orders = { namespace: 'shop', name: 'orders', uid: 'uid-1' };
  const labelled = ({ namespace, name, uid } = orders) => ({
    [labels.managedBy]: 'millrace',
    [labels.pipeline]: name,
    [labels.pipelineNamespace]: namespace,
    [labels.pipelineUid]: uid,
  });
  const putObject = (some: object = {}) =>
    server.put('NetworkPolicy', {
      ...{ name: 'orders-pipeline', namespace: 'shop', uid: 'np', labels: labelled() },
      ...{ annotations: { [annotations.cluster]: cluster }, ...some },
    });

  describe('L2: an entity without a resource', () => {
    beforeEach(() => void (entities = [orders]));

    it('is told when it was proven twice, some time apart, and once', async () => {
      await sweep();
      await sweep(10, 1_000);
      assert.deepEqual(told, []);
      await sweep();
      assert.deepEqual(told, ['orders: its workflow']);
      await sweep(5);
      assert.equal(told.length, 1);
    });

    it('is told again while it stays', async () => {
      await sweep(round);
      await sweep(1, 600_000);
      await sweep(1);
      assert.equal(told.length, 2);
    });

    it('is forgotten when it has ended', async () => {
      await sweep();
      entities = [];
      await sweep();
      assert.deepEqual([told, leftovers.size], [[], 0]);
    });

    it('is none when the resource is there, although no list has shown it', async () => {
      server.put(kind, orders);
      await sweep(round);
      assert.deepEqual(told, []);
    });

    it('is none when the resource comes back between the proofs', async () => {
      await sweep();
      server.put(kind, orders);
      await sweep();
      server.objects.delete('/apis/millrace.io/v1alpha1/namespaces/shop/pipelines/orders');
      await sweep();
      assert.deepEqual(told, []);
    });

    it('is none when the watch knows the resource', async () => {
      await sweep();
      known.add('uid-1');
      await sweep(round);
      assert.deepEqual([told, leftovers.size], [[], 0]);
    });

    it('is one when another resource has its name', async () => {
      server.put(kind, { ...orders, uid: 'uid-2' });
      await sweep(2);
      assert.equal(told.length, 1);
    });

    for (const [what, uid] of [
      ['another cluster', 'cluster-2'],
      ['an API server that is empty', undefined],
    ]) {
      it(`is none as seen from ${what}`, async () => {
        server.objects.clear();
        if (uid !== undefined) server.put('Namespace', { name: 'kube-system', uid });
        await sweep(round);
        assert.deepEqual(told, []);
      });
    }

    for (const [what, answer] of Object.entries(oddAnswers)) {
      it(`is not proven by ${what}, neither first nor second`, async () => {
        server.oddity = () => answer;
        await sweep(3);
        server.oddity = () => null;
        await sweep();
        assert.deepEqual(told, []);
        server.oddity = () => answer;
        await sweep();
        server.oddity = () => null;
        await sweep();
        assert.deepEqual(told, []);
        await sweep();
        assert.equal(told.length, 1);
      });
    }
  });

  describe('L1 L3: an object without a resource', () => {
    it('is found wherever it is, and told of', async () => {
      putObject();
      await sweep(round);
      assert.deepEqual(told, ['orders: NetworkPolicy shop/orders-pipeline']);
    });

    it('is forgotten when it goes before the second look', async () => {
      putObject();
      while (leftovers.size === 0) await sweep();
      await sweep();
      server.objects.delete('/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/orders-pipeline');
      await sweep(round);
      assert.deepEqual(told, []);
    });

    const none: Readonly<Record<string, object>> = {
      'it was made for another cluster': { annotations: { [annotations.cluster]: 'cluster-2' } },
      'it does not say for which cluster it was made': { annotations: {} },
      'it is on its way out': { deletionTimestamp: '2026-01-01T00:00:00Z' },
      'it was left on purpose': { annotations: { [annotations.cluster]: cluster, [annotations.released]: 'then' } },
      'it is of another manager': { labels: { ...labelled(), [labels.managedBy]: 'helm' } },
      'it does not say whose it is': { labels: { [labels.managedBy]: 'millrace' } },
    };
    for (const [why, some] of Object.entries(none)) {
      it(`is let be when ${why}`, async () => {
        putObject(some);
        await sweep(2 * round);
        assert.deepEqual(told, []);
      });
    }
  });

  describe('L1 L3: a stream without a resource', () => {
    const pid = pidOf('orders', 'uid-1');
    const stream = `mr-${pid}-main`;
    const own = { ...labelled(), [annotations.cluster]: cluster };

    it('is found, and told of', async () => {
      streams.set(stream, own);
      await sweep(round);
      assert.deepEqual(told, [`orders: stream ${stream}`]);
    });

    const none: Readonly<Record<string, Record<string, string>>> = {
      'it was made for another cluster': { ...own, [annotations.cluster]: 'cluster-2' },
      'it says nothing': {},
      'it was left on purpose': { ...own, [annotations.released]: 'then' },
    };
    for (const [why, metadata] of Object.entries(none)) {
      it(`is let be when ${why}`, async () => {
        streams.set(stream, metadata);
        await sweep(2 * round);
        assert.deepEqual(told, []);
      });
    }

    it('is not even asked about when its pipeline is known', async () => {
      streams.set(stream, own);
      known.add(pid);
      await sweep(round);
      assert.deepEqual([told, leftovers.size], [[], 0]);
    });

    it('is reached although hundreds of others come before it', async () => {
      for (let index = 0; index < 250; index++) streams.set(`mr-a${index}-main`, {});
      streams.set(stream, own);
      await sweep(4 * round);
      assert.equal(told.length, 1);
    });
  });

  it('L5: of a thousand that are left at once a few are told in each sweep, and all in the end', async () => {
    entities = Array.from({ length: 100 }, (_, index) => ({
      namespace: 'shop',
      name: `p${index}`,
      uid: `uid-${index}`,
    }));
    for (let before = 0, sweeps = 0; told.length < 100; before = told.length) {
      await sweep();
      assert(told.length - before <= 10, `${told.length - before} in one sweep`);
      assert((sweeps += 1) < 100, `${told.length} after 100 sweeps`);
    }
    assert.equal(new Set(told).size, 100);
  });
});

/** Streams by name, with their metadata. */
function listing(streams: ReadonlyMap<string, Record<string, string>>): JetStreamPort {
  const port: Pick<JetStreamPort, 'link' | 'streamNames'> & { streamInfo: (name: string) => Promise<object> } = {
    link: { connected: true, onReconnect: () => () => undefined },
    streamNames: () => Promise.resolve([...streams.keys()]),
    streamInfo: (name) => Promise.resolve({ config: { name, metadata: streams.get(name) } }),
  };
  return port as unknown as JetStreamPort;
}

const isOfAnotherCluster = (failure: unknown) =>
  failure instanceof MillraceError && failure.code === 'MR_CLUSTER_FOREIGN';
