import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { statusSchema } from '../../../crds/status.ts';
import { watchObjects } from '../../../kubernetes/watch.ts';
import { kind } from '../../../model/names.ts';
import { eventually } from '../../support/eventually.ts';
import { NotingEngine, reasonIn, say, settle, startRig, type Made, type Rig, type RunningController } from './rig.ts';

const away = {
  connection: { state: 'Disconnected', since: 0, code: 'MR_SINK_UNREACHABLE', message: 'no route' },
} as const;

describe('controllers on a real API server', function () {
  let rig: Rig;
  const running: RunningController[] = [];
  const ends: AbortController[] = [];

  before(async () => (rig = await startRig()));
  afterEach(async () => {
    for (const end of ends.splice(0)) end.abort();
    await Promise.all(running.splice(0).map((each) => each.stop()));
    for (const { metadata } of (await rig.kube.list(kind)).items) {
      const { name, namespace } = metadata;
      await remove(name, namespace);
    }
    for (const { metadata } of (await rig.kube.list('Deployment')).items)
      await rig.kube.delete('Deployment', metadata.name, metadata.namespace);
  });
  after(() => rig.stop());

  /** In this order: a finalizer that is taken off a living pipeline is put on again. */
  async function remove(name: string, namespace: string | undefined): Promise<void> {
    await rig.kube.delete(kind, name, namespace);
    await rig.kube.patchMerge(kind, name, namespace, { metadata: { finalizers: null } }, { fieldManager: 'test' });
  }

  function start(options: Partial<Parameters<Rig['start']>[0]> = {}) {
    const engine = new NotingEngine();
    const one = rig.start({ engine, hears: true, ...options });
    running.push(one);
    return { ...one, engine };
  }

  /** Pods repeat what they say, as pods do. */
  function keepSaying(made: Made, sink: () => Parameters<typeof say>[2]): void {
    const end = new AbortController();
    ends.push(end);
    void (async () => {
      while (!end.signal.aborted) {
        say(rig.streams, made, sink());
        await delay(250, undefined, { signal: end.signal }).catch(() => undefined);
      }
    })();
  }

  /** Every version of the pipeline from now on. */
  async function follow({ name }: Made): Promise<{ readonly ready: string[]; readonly versions: Set<string> }> {
    const listed = Promise.withResolvers<undefined>();
    const seen = { ready: [] as string[], versions: new Set<string>() };
    const end = new AbortController();
    ends.push(end);
    void watchObjects(rig.kube, {
      ...{ kind, namespace: 'default', signal: end.signal },
      onList: () => listed.resolve(undefined),
      onChange: (_, resource) => {
        if (resource.metadata.name !== name) return;
        seen.ready.push(reasonIn(resource, 'Ready'));
        seen.versions.add(resource.metadata.resourceVersion ?? '');
      },
      onError: () => undefined,
    });
    await listed.promise;
    return seen;
  }

  async function ready({ name }: Made): Promise<string> {
    const resource = await rig.kube.get(kind, name, 'default');
    assert(resource);
    return reasonIn(resource, 'Ready');
  }

  it('F8: a nats-server that hangs is the reason, named with its address, whatever the pods said', async () => {
    const made = await rig.provision('hangs');
    start();
    keepSaying(made, () => ({}));
    await eventually(async () => (await ready(made)) === 'True Running');
    rig.signalNats('SIGSTOP');
    try {
      await eventually(async () => (await ready(made)) === 'Unknown StreamUnavailable');
      const status = statusSchema.parse((await rig.kube.get(kind, made.name, 'default'))?.['status']);
      for (const type of ['Ready', 'SourceConnected', 'SinkConnected', 'Flowing']) {
        const said = status.conditions?.find((one) => one.type === type);
        assert.equal(said?.status, 'Unknown', type);
        assert.ok(said.message.includes(new URL(rig.natsUrl).host), said.message);
      }
      assert.equal(status.phase, 'NotReady');
    } finally {
      rig.signalNats('SIGCONT');
    }
    await eventually(async () => (await ready(made)) === 'True Running');
  });

  it('one of two that has no NATS claims no outage, and what the other says is written at its pace', async () => {
    const made = await rig.provision('two');
    // The deaf one comes first, and has the lease.
    const deaf = start({ hears: false });
    await eventually(() => deaf.controller.counts.isLeader);
    const hears = start();
    let isAway = false;
    keepSaying(made, () => (isAway ? away : {}));
    await eventually(() => hears.controller.counts.isLeader && !deaf.controller.counts.isLeader);
    await eventually(async () => (await ready(made)) === 'True Running');
    const seen = await follow(made);
    const began = Date.now();
    const before = hears.controller.counts.statusWrites + deaf.controller.counts.statusWrites;
    // A pod that changes its mind twice a second for ten seconds.
    while (Date.now() - began < 10_000) {
      isAway = !isAway;
      await delay(500);
    }
    const writes = hears.controller.counts.statusWrites + deaf.controller.counts.statusWrites - before;
    const seconds = (Date.now() - began) / 1_000;
    // A burst of ten, one a second; then one in ten seconds.
    const limit = 1 + Math.min(seconds, 10 + seconds / 10);
    assert(writes > 0 && writes <= limit, `${writes} writes in ${seconds} s`);
    assert(seen.versions.size <= limit, `${seen.versions.size} versions in ${seconds} s`);
    assert(!seen.ready.some((one) => /NotReported|NotHeard|Listening/.test(one)), seen.ready.join());
    isAway = false;
    await eventually(async () => (await ready(made)) === 'True Running');
  });

  it('one that starts changes nothing of a pipeline that is well, and then hears of an outage', async () => {
    const made = await rig.provision('restart');
    let isAway = false;
    keepSaying(made, () => (isAway ? away : {}));
    const first = start();
    await eventually(async () => (await ready(made)) === 'True Running');
    await running
      .splice(running.indexOf(running.find(({ controller }) => controller === first.controller)!), 1)[0]
      ?.stop();
    const seen = await follow(made);
    const second = start();
    await eventually(() => second.controller.counts.isLeader);
    isAway = true;
    await eventually(async () => (await ready(made)) === 'False SinkUnreachable');
    await eventually(() => seen.ready.length > 0);
    assert.deepEqual([...new Set(seen.ready)], ['False SinkUnreachable']);
    const phase = async () => statusSchema.parse((await rig.kube.get(kind, 'restart', 'default'))?.['status']).phase;
    assert.equal(await phase(), 'NotReady');
    isAway = false;
    await eventually(async () => (await ready(made)) === 'True Running');
    assert.equal(await phase(), 'Running');
  });

  it('K4: a label on a Secret starts nothing, another value does', async () => {
    const secret = (name: string, password: string, labels: Record<string, string> = {}) =>
      rig.kube.apply(
        {
          ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default', labels } },
          data: { password: Buffer.from(password).toString('base64') },
        },
        { fieldManager: 'test', force: true },
      );
    /** A pipeline with the Secret of its name, and a copy of its value. */
    const withSecret = async (name: string) => {
      const written = await secret(name, 'first');
      const clickhouse = { url: 'http://127.0.0.1:1', database: 'shop', table: 'orders' };
      const sinks = [{ name: 'warehouse', clickhouse: { ...clickhouse, password: `$(secret:${name}/password)` } }];
      await rig.provision(name, {
        spec: { sinks },
        copiedFrom: JSON.stringify({ [`Secret/${name}`]: written.metadata.resourceVersion }),
        data: { [`secret.${name}.password`]: Buffer.from('first').toString('base64') },
      });
    };
    await withSecret('touched');
    await withSecret('changed');
    const { engine, controller } = start();
    await eventually(() => controller.counts.isLeader && controller.isSynced);
    for (let touch = 0; touch < 5; touch++) await secret('touched', 'first', { touched: String(touch) });
    // Seen after the touches, and told after the same patience: by then they would have been told, or be in the queue.
    await secret('changed', 'second');
    await eventually(() => engine.told.includes('changed credentials') && controller.counts.queueDepth === 0);
    assert.equal(engine.told.includes('touched credentials'), false);
    await secret('touched', 'second');
    await eventually(() => engine.told.includes('touched credentials'));
  });

  it('T1: what waits during an outage of Temporal says so, waits together, and is told once it answers', async () => {
    const engine = new NotingEngine();
    engine.isAway = true;
    const { controller } = start({ engine });
    const many = await Promise.all(['x', 'y', 'z'].map((name) => rig.provision(`away-${name}`)));
    for (const made of many) await settle(rig.kube, made, 1, { observedGeneration: 0 });
    await eventually(() => controller.counts.waitingForEngine === 3);
    await eventually(async () => (await ready(many[0]!)) === 'False EngineUnavailable');
    // None of them waits by itself, with a pause that grows.
    await eventually(() => controller.counts.queueDepth === 0 && controller.counts.oldestKeyAgeMs === 0);
    engine.isAway = false;
    await eventually(() => many.every(({ name }) => engine.told.includes(`${name} g1`)));
  });

  it('Q1: when all deviate at once, a few are put right at a time, and all are in the end', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `drift-${index}`);
    const many = await Promise.all(names.map((name) => rig.provision(name)));
    const { engine, controller } = start({ repairsAtOnce: 2 });
    await eventually(() => controller.counts.isLeader && controller.counts.pipelines === many.length);
    for (const name of names) await rig.kube.delete('Deployment', `${name}-sink-warehouse`, 'default');
    const drifts = () => engine.told.filter((what) => what.endsWith(' drift')).map((what) => what.split(' ')[0]!);
    await eventually(() => drifts().length === 2 && controller.counts.repairsWaiting === 5);
    for (let done = 0; done < names.length; done++) {
      const name = await eventually(() => drifts()[done] ?? false);
      assert(controller.counts.repairsRunning <= 2);
      const made = many.find((each) => each.name === name)!;
      // The lifecycle has put it right: here, by no longer wanting the stage.
      await settle(rig.kube, made, 2, { stages: [{ name: 'ingestor-orders', replicas: 1, ready: 1 }] });
    }
    assert.deepEqual([...new Set(drifts())].sort(), names);
  });

  it('P1: nothing is kept of a pipeline that is gone', async () => {
    const made = await rig.provision('gone');
    const { controller } = start();
    await eventually(() => controller.counts.pipelines === 1);
    say(rig.streams, made);
    await remove('gone', 'default');
    await eventually(() => controller.counts.pipelines === 0);
    say(rig.streams, made);
    await eventually(() => controller.counts.queueDepth === 0);
  });
});
