/** Certificates over years, with a clock of the test; two controllers share them. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { KubeError } from '../../../../kubernetes/kube-error.ts';
import type { Kube } from '../../../../kubernetes/kube.ts';
import type { KubeObject } from '../../../../kubernetes/objects.ts';
import { certificatesIn } from '../../../../workers/controller/webhook/certificates/kept.ts';
import { OwnCertificates } from '../../../../workers/controller/webhook/certificates/own.ts';

const day = 86_400_000;
const start = Date.parse('2026-01-01T00:00:00Z');
const at = { namespace: 'millrace-system', secret: 's', configuration: 'c', hosts: ['a.b.svc', '127.0.0.1'] };

type Part = 'Secret' | 'ValidatingWebhookConfiguration';
const patchSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().optional() }),
  data: z.record(z.string(), z.string().nullable()),
});
const applySchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().optional() }),
  webhooks: z.array(z.looseObject({ clientConfig: z.looseObject({ caBundle: z.string() }) })),
});

/** The two objects, as an API server keeps them: a write of another version is a conflict. */
class TwoObjects implements Pick<Kube, 'get' | 'patchMerge' | 'apply'> {
  readonly objects = new Map<string, KubeObject>();
  isAway = false;
  /** Refuses what is told. */
  isForbidden = false;
  conflicts = 0;
  #version = 0;

  put(part: Part, rest: object): void {
    const name = part === 'Secret' ? at.secret : at.configuration;
    this.objects.set(part, {
      ...rest,
      kind: part,
      metadata: { name, uid: 'u', resourceVersion: String(++this.#version) },
    });
  }

  get(kind: string): Promise<KubeObject | undefined> {
    if (this.isAway) return Promise.reject(failure('network', 'it is away'));
    return Promise.resolve(structuredClone(this.objects.get(kind)));
  }

  patchMerge(...[, , , patch]: Parameters<Kube['patchMerge']>): Promise<KubeObject | undefined> {
    const { metadata, data } = patchSchema.parse(patch);
    const live = this.#unlessStale('Secret', metadata.resourceVersion);
    const kept = Object.entries({ ...z.record(z.string(), z.string()).parse(live['data'] ?? {}), ...data });
    this.put('Secret', { data: Object.fromEntries(kept.filter(([, value]) => value !== null)) });
    return Promise.resolve(this.objects.get('Secret'));
  }

  apply(...[manifest]: Parameters<Kube['apply']>): Promise<KubeObject> {
    if (this.isForbidden) return Promise.reject(failure('403', 'may not'));
    const { metadata, webhooks } = applySchema.parse(manifest);
    const live = this.#unlessStale('ValidatingWebhookConfiguration', metadata.resourceVersion);
    this.put('ValidatingWebhookConfiguration', { webhooks });
    return Promise.resolve(live);
  }

  get bundle(): string {
    const [webhook] = applySchema.parse(this.objects.get('ValidatingWebhookConfiguration')).webhooks;
    return Buffer.from(webhook?.clientConfig.caBundle ?? '', 'base64').toString('utf8');
  }

  #unlessStale(part: Part, version: string | undefined): KubeObject {
    const live = this.objects.get(part);
    if (live !== undefined && live.metadata.resourceVersion === version) return live;
    this.conflicts += 1;
    throw failure('409', 'conflict');
  }
}

function failure(situation: 'network' | '403' | '409', message: string): KubeError {
  const asked = { verb: 'PATCH', group: '', resource: 'secrets' } as const;
  return new KubeError(message, { situation, status: undefined, asked, causes: [], request: 'x', server: 'test' });
}

/** A clock on which one sleeps until the test wakes it. */
class Bed {
  time = start;
  slept = 0;
  #wake: (() => void) | undefined;
  #asleep = Promise.withResolvers<undefined>();

  now(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept = ms;
    const woken = Promise.withResolvers<undefined>();
    this.#wake = () => woken.resolve(undefined);
    signal?.addEventListener('abort', this.#wake, { once: true });
    this.#asleep.resolve(undefined);
    return woken.promise;
  }

  /** Resolves when it sleeps again. */
  async wake(time: number): Promise<void> {
    this.time = time;
    this.#asleep = Promise.withResolvers();
    this.#wake?.();
    await this.#asleep.promise;
  }

  async asleep(): Promise<void> {
    await this.#asleep.promise;
  }
}

describe('certificates of an authority of our own', () => {
  let kube: TwoObjects;
  let controllers: Running[];

  class Running {
    readonly bed = new Bed();
    readonly served: string[] = [];
    readonly problems: string[] = [];
    readonly source = new OwnCertificates(at, {
      ...{ kube, clock: this.bed },
      onPair: (pair) => Promise.resolve(void this.served.push(pair.cert)),
      onProblem: (problem) => void this.problems.push(problem),
    });
    readonly #end = new AbortController();
    readonly #ended = this.source.run(this.#end.signal);

    async stop(): Promise<void> {
      await this.bed.asleep();
      this.#end.abort();
      await this.#ended;
    }
  }

  const run = async (): Promise<Running> => {
    const running = new Running();
    controllers.push(running);
    await running.bed.asleep();
    return running;
  };

  /** What the API server would find wrong with what a controller serves. */
  const distrust = ({ served, bed }: Running): string | undefined => {
    const pem = served.at(-1);
    if (pem === undefined) return 'nothing is served';
    const leaf = new X509Certificate(pem);
    if (bed.time >= leaf.validToDate.getTime()) return 'it has expired';
    const believed = certificatesIn(kube.bundle).filter(({ until }) => bed.time < until);
    return believed.some((one) => leaf.verify(new X509Certificate(one.pem).publicKey)) ? undefined : 'nobody knows it';
  };

  beforeEach(() => {
    kube = new TwoObjects();
    kube.put('Secret', {});
    kube.put('ValidatingWebhookConfiguration', { webhooks: [{ name: 'w', clientConfig: { caBundle: '' } }] });
    controllers = [];
  });
  afterEach(() => Promise.all(controllers.map((each) => each.stop())));

  it('are made into the empty Secret, told, and served under all names', async () => {
    const one = await run();
    equal(distrust(one), undefined);
    equal(one.source.isTrusted, true);
    const leaf = new X509Certificate(one.served[0] ?? '');
    ok(leaf.checkHost('a.b.svc') !== undefined && leaf.checkIP('127.0.0.1') !== undefined);
    equal(leaf.checkHost('c.b.svc'), undefined);
  });

  it('O1: are one for two controllers that begin together', async () => {
    const both = [new Running(), new Running()];
    controllers.push(...both);
    for (const each of both) await each.bed.asleep();
    for (const each of both) await each.bed.wake(start + 2_000);
    equal(kube.conflicts, 1);
    equal(new Set(both.map(({ served }) => served.join())).size, 1);
    deepEqual(
      both.map(({ problems }) => problems.length),
      [0, 0],
    );
  });

  it('are trusted at every moment of two years, by two controllers that look half an hour apart', async () => {
    const [one, two] = [await run(), await run()];
    const seen = new Set<string>();
    let most = 0;
    for (let time = start; time < start + 2 * 365 * day; time += 12 * 3_600_000) {
      await one.bed.wake(time);
      two.bed.time = time;
      deepEqual([distrust(one), distrust(two)], [undefined, undefined], new Date(time).toISOString());
      await two.bed.wake(time + 1_800_000);
      one.bed.time = time + 1_800_000;
      deepEqual([distrust(one), distrust(two)], [undefined, undefined], new Date(time).toISOString());
      for (const { fingerprint } of certificatesIn(kube.bundle)) seen.add(fingerprint);
      most = Math.max(most, certificatesIn(kube.bundle).length);
    }
    // Every 20 days of 30, and every 243 of 365, of which two are told for a while.
    equal(one.served.length, 37);
    equal(two.served.length, 37);
    equal(seen.size, 3);
    equal(most, 2);
  });

  it('O2: are not of an authority that could not be told', async () => {
    const one = await run();
    kube.isForbidden = true;
    for (let time = start; time < start + 260 * day; time += day) {
      await one.bed.wake(time);
      equal(distrust(one), undefined, new Date(time).toISOString());
    }
    match(one.problems.join(), /The certificate of the admission webhook cannot be renewed: may not\./);
    // A problem is said once, not each day.
    equal(one.problems.length, 1);
    equal(one.bed.slept, 2_000);
    kube.isForbidden = false;
    await one.bed.wake(start + 261 * day);
    equal(one.source.problem, undefined);
  });

  it('go on while the API server is away, and are looked at again soon', async () => {
    const one = await run();
    kube.isAway = true;
    await one.bed.wake(start + day);
    match(one.source.problem ?? '', /it is away/);
    equal(distrust(one), undefined);
    equal(one.served.length, 1);
  });

  it('O3: name the Secret that is not there', async () => {
    kube.objects.delete('Secret');
    const one = await run();
    match(one.problems[0] ?? '', /there is no Secret "s" in namespace "millrace-system", which the chart makes/);
    equal(one.source.isTrusted, false);
  });

  it('O4: are served without a configuration, which is not made again', async () => {
    kube.objects.delete('ValidatingWebhookConfiguration');
    const one = await run();
    equal(one.source.isTrusted, true);
    equal(one.served.length, 1);
    equal(kube.objects.has('ValidatingWebhookConfiguration'), false);
  });

  it('are made again when somebody has emptied or spoilt the Secret', async () => {
    const one = await run();
    for (const data of [{}, { 'ca.crt': 'eA==', 'tls.crt': 'eA==' }]) {
      kube.put('Secret', { data });
      await one.bed.wake(start + 1_000);
      equal(distrust(one), undefined);
    }
    equal(one.served.length, 3);
  });

  it('have nothing of a key in what is said about them', async () => {
    const one = await run();
    const secret = kube.objects.get('Secret');
    kube.put('Secret', { data: { ...z.record(z.string(), z.string()).parse(secret?.['data']), 'ca.key': 'c2VjcmV0' } });
    await one.bed.wake(start + 1_000);
    deepEqual(one.problems, []);
    equal(distrust(one), undefined);
  });
});
