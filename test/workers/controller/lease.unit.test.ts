import assert from 'node:assert/strict';
import { KubeError } from '../../../kubernetes/kube-error.ts';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { KubeObject } from '../../../kubernetes/objects.ts';
import { Lease } from '../../../workers/controller/lease.ts';
import { HandClock } from '../../support/hand-clock.ts';

type LeaseKube = Pick<Kube, 'get' | 'create' | 'patchMerge'>;

/** One Lease as an API server keeps it: versions rise, and a patch of another version is a conflict. */
class OneLease implements LeaseKube {
  object: KubeObject | undefined;
  isAway = false;
  #version = 0;

  async get(): Promise<KubeObject | undefined> {
    await this.#answer();
    return structuredClone(this.object);
  }

  async create(manifest: Parameters<Kube['create']>[0]): Promise<KubeObject> {
    await this.#answer();
    if (this.object !== undefined) throw conflict();
    return this.#store({
      ...manifest,
      metadata: { ...manifest.metadata, annotations: { ...manifest.metadata.annotations } },
    });
  }

  async patchMerge(...args: Parameters<Kube['patchMerge']>): Promise<KubeObject> {
    await this.#answer();
    const [, , , patch] = args;
    const { metadata, spec } = patch as { metadata: KubeObject['metadata']; spec: object };
    if (this.object === undefined || metadata.resourceVersion !== this.object.metadata.resourceVersion)
      throw conflict();
    const annotations = { ...this.object.metadata.annotations, ...metadata.annotations };
    const before = this.object['spec'] as object;
    return this.#store({
      ...this.object,
      metadata: { ...this.object.metadata, annotations },
      spec: { ...before, ...spec },
    });
  }

  get holder(): string {
    return (this.object?.['spec'] as { holderIdentity: string }).holderIdentity;
  }

  #store(object: Omit<KubeObject, 'metadata'> & { metadata: object }): KubeObject {
    const stored = {
      ...object,
      metadata: { name: 'lease', ...object.metadata, resourceVersion: String(++this.#version) },
    };
    return (this.object = stored);
  }

  async #answer(): Promise<void> {
    await Promise.resolve();
    if (this.isAway) throw failure('network');
  }
}

function failure(situation: 'network' | '409'): KubeError {
  const asked = { verb: 'PATCH', group: 'coordination.k8s.io', resource: 'leases' } as const;
  return new KubeError('no', { situation, status: undefined, asked, causes: [], request: 'lease', server: 'test' });
}

function conflict(): KubeError {
  return failure('409');
}

describe('the lease of the conditions', () => {
  let clock: HandClock;
  let kube: OneLease;
  let controllers: Contender[];

  beforeEach(() => {
    clock = new HandClock();
    kube = new OneLease();
    controllers = [];
  });
  afterEach(() => Promise.all(controllers.map((each) => each.stop())));

  class Contender {
    hears = true;
    readonly lease: Lease;
    readonly changes: boolean[] = [];
    readonly problems: string[] = [];
    readonly #end = new AbortController();
    readonly #ended: Promise<void>;

    constructor(identity: string, { hears = true, over = kube }: { hears?: boolean; over?: LeaseKube } = {}) {
      this.hears = hears;
      this.lease = new Lease({
        ...{ kube: over, clock, identity, name: 'lease', namespace: 'default' },
        hears: () => this.hears,
        onChange: (isHeld) => this.changes.push(isHeld),
        onError: (problem) => this.problems.push(problem),
      });
      this.#ended = this.lease.run(this.#end.signal);
      controllers.push(this);
    }

    async stop(): Promise<void> {
      this.#end.abort();
      await this.#ended;
    }
  }

  const holders = () => controllers.map(({ lease }) => lease.isHeld);

  it('the first that comes has it, and the second waits', async () => {
    new Contender('a');
    await clock.advance(1);
    new Contender('b');
    await clock.advance(60_000);
    assert.deepEqual(holders(), [true, false]);
    assert.equal(kube.holder, 'a');
  });

  it('who ends gives it up, and another has it at its next look', async () => {
    const first = new Contender('a');
    await clock.advance(1);
    new Contender('b');
    await clock.advance(10_000);
    await first.stop();
    await clock.advance(2_100);
    assert.deepEqual(holders(), [false, true]);
  });

  it('L1, L2: who was killed is replaced when the lease has not changed for its time', async () => {
    const cut = new OneLeaseFor(kube);
    new Contender('a', { over: cut });
    await clock.advance(1);
    new Contender('b');
    await clock.advance(10_000);
    cut.isAway = true;
    await clock.advance(7_000);
    assert.deepEqual(holders(), [false, false], 'it counts itself out first');
    await clock.advance(6_000);
    assert.deepEqual(holders(), [false, true]);
  });

  it('L1: at no moment do two hold it, whoever is cut off for however long', async () => {
    const cuts = ['a', 'b', 'c'].map((identity) => {
      const over = new OneLeaseFor(kube);
      new Contender(identity, { over });
      return over;
    });
    let seed = 7;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    let held = 0;
    for (let step = 0; step < 2_000; step++) {
      if (random() < 0.05) cuts[Math.floor(random() * cuts.length)]!.isAway = random() < 0.5;
      await clock.advance(100 + Math.floor(random() * 900));
      const count = holders().filter(Boolean).length;
      assert(count <= 1, `${count} hold it`);
      held += count;
    }
    assert(held > 200, `it was held at ${held} of 2,000 moments`);
  });

  it('L3: of two that come at the same moment one has it', async () => {
    for (const identity of ['a', 'b', 'c', 'd']) new Contender(identity);
    await clock.advance(5_000);
    assert.equal(holders().filter(Boolean).length, 1);
  });

  it('L4: who hears takes it from who does not, and keeps it', async () => {
    new Contender('deaf', { hears: false });
    await clock.advance(1);
    new Contender('hears');
    await clock.advance(10_000);
    assert.deepEqual(holders(), [false, true]);
    await clock.advance(60_000);
    assert.deepEqual(holders(), [false, true]);
  });

  it('L4: one that becomes deaf loses it to one that hears', async () => {
    const first = new Contender('a');
    await clock.advance(1);
    new Contender('b');
    await clock.advance(20_000);
    first.hears = false;
    await clock.advance(10_000);
    assert.deepEqual(holders(), [false, true]);
  });

  it('L4: when nobody hears one has it all the same, and it does not change hands', async () => {
    const both = ['a', 'b'].map((identity) => new Contender(identity, { hears: false }));
    await clock.advance(120_000);
    assert.equal(holders().filter(Boolean).length, 1);
    assert.equal(
      both.reduce((sum, { changes }) => sum + changes.length, 0),
      1,
    );
  });

  it('says once that it cannot be had, and tries on', async () => {
    kube.isAway = true;
    const one = new Contender('a');
    await clock.advance(60_000);
    assert.equal(one.problems.length, 1);
    kube.isAway = false;
    await clock.advance(2_100);
    assert.equal(one.lease.isHeld, true);
  });
});

/** The same Lease over a connection of its own, which can be cut. */
class OneLeaseFor implements LeaseKube {
  isAway = false;
  readonly #kube: OneLease;

  constructor(kube: OneLease) {
    this.#kube = kube;
  }

  get(): Promise<KubeObject | undefined> {
    return this.isAway ? Promise.reject(failure('network')) : this.#kube.get();
  }

  create(manifest: Parameters<Kube['create']>[0]): Promise<KubeObject> {
    return this.isAway ? Promise.reject(failure('network')) : this.#kube.create(manifest);
  }

  patchMerge(...args: Parameters<Kube['patchMerge']>): Promise<KubeObject> {
    return this.isAway ? Promise.reject(failure('network')) : this.#kube.patchMerge(...args);
  }
}
