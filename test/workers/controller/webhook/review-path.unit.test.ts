import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { z } from 'zod';
import { KubeError } from '../../../../kubernetes/kube-error.ts';
import type { Kube } from '../../../../kubernetes/kube.ts';
import type { KubeObject } from '../../../../kubernetes/objects.ts';
import { ReviewPath } from '../../../../workers/controller/webhook/review-path.ts';

const at = { namespace: 'millrace-system', secret: 's', configuration: 'c' };
const minute = 60_000;
const strings = z.record(z.string(), z.string());
const manifestSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  webhooks: z.array(z.looseObject({ name: z.string(), clientConfig: z.looseObject({}) })),
});

/** The Secret and the configuration, as an API server keeps them: a write of another version is a conflict. */
class Objects implements Pick<Kube, 'get' | 'patchMerge' | 'apply'> {
  secret: KubeObject | undefined;
  configuration: KubeObject | undefined;
  writes: string[] = [];
  #version = 0;

  constructor(clientConfig: object) {
    this.putSecret({});
    this.putConfiguration(clientConfig);
  }

  putSecret(data: object): void {
    this.secret = { metadata: { name: 's', resourceVersion: String(++this.#version) }, data };
  }

  putConfiguration(clientConfig: object): void {
    const metadata = { name: 'c', resourceVersion: String(++this.#version) };
    this.configuration = { metadata, webhooks: [{ name: 'w', clientConfig }] };
  }

  /** Where the API server asks. */
  get named(): string {
    const [webhook] = z
      .array(z.looseObject({ clientConfig: z.looseObject({}) }))
      .parse(this.configuration?.['webhooks']);
    const { service, url } = z
      .looseObject({ service: z.looseObject({ path: z.string() }).optional(), url: z.string().optional() })
      .parse(webhook?.clientConfig);
    return service?.path ?? url ?? '';
  }

  get(kind: string): Promise<KubeObject | undefined> {
    return Promise.resolve(structuredClone(kind === 'Secret' ? this.secret : this.configuration));
  }

  patchMerge(...[, , , patch]: Parameters<Kube['patchMerge']>): Promise<KubeObject | undefined> {
    const { metadata, data } = z.looseObject({ metadata: strings, data: strings }).parse(patch);
    this.#write('secret', this.secret, metadata['resourceVersion']);
    this.putSecret({ ...strings.parse(this.secret?.['data']), ...data });
    return Promise.resolve(this.secret);
  }

  apply(...[manifest, { fieldManager }]: Parameters<Kube['apply']>): Promise<KubeObject> {
    const { metadata, webhooks } = manifestSchema.parse(manifest);
    this.#write(fieldManager, this.configuration, metadata.resourceVersion);
    this.putConfiguration(webhooks[0]?.clientConfig ?? {});
    return Promise.resolve({ metadata: { name: 'c' } });
  }

  #write(what: string, live: KubeObject | undefined, version: string | undefined): void {
    if (live?.metadata.resourceVersion === version) return void this.writes.push(what);
    const asked = { verb: 'PATCH', group: '', resource: 'secrets' } as const;
    const rest = { status: undefined, asked, causes: [], request: 'x', server: 'test' };
    throw new KubeError('conflict', { situation: '409', ...rest });
  }
}

describe('the path at which the API server asks', () => {
  let time: number;
  let made: number;
  let problems: string[];

  const pathOf = (kube: Objects) =>
    new ReviewPath(at, {
      kube,
      clock: { now: () => time, sleep: () => Promise.resolve() },
      random: () => `${++made}`.padStart(43, 'x'),
      onProblem: (problem) => void problems.push(problem),
    });
  const first = `/pipelines/${'1'.padStart(43, 'x')}`;
  const second = `/pipelines/${'2'.padStart(43, 'x')}`;

  beforeEach(() => {
    [time, made, problems] = [0, 0, []];
  });

  it('is made into the Secret, told and taken at the first look, and then left alone', async () => {
    const kube = new Objects({ service: { name: 'n' } });
    const path = pathOf(kube);
    ok(path.problem !== undefined);
    ok(await path.look());
    deepEqual([kube.named, path.problem, path.takes(first)], [first, undefined, true]);
    // By a manager of its own: that of `caBundle` would give up one of the two.
    deepEqual(kube.writes, ['secret', 'millrace-webhook-path']);
    for (const _ of [1, 2]) await path.look();
    equal(kube.writes.length, 2);
    for (const other of ['/', '/pipelines', second, `${first}/`, '']) equal(path.takes(other), false, other);
  });

  it('is told also where there is an address in place of a Service', async () => {
    const kube = new Objects({ url: 'https://127.0.0.1:1' });
    await pathOf(kube).look();
    equal(kube.named, `https://127.0.0.1:1${first}`);
  });

  it('V1: is one for two controllers that begin together', async () => {
    const kube = new Objects({ service: {} });
    const both = [pathOf(kube), pathOf(kube)];
    const done = await Promise.all(both.map((path) => path.look()));
    equal(done.filter((isSettled) => isSettled).length, 1);
    for (const path of both) ok(await path.look());
    const taken = both.map((path) => [first, second].filter((one) => path.takes(one)).join());
    equal(taken[0], taken[1]);
    ok(both.every((path) => path.takes(kube.named)));
    deepEqual(problems, []);
  });

  it('V2, V3: goes on at the fixed one of an earlier release for a minute, and until the look after', async () => {
    const kube = new Objects({ service: { path: '/pipelines' } });
    const path = pathOf(kube);
    await path.look();
    deepEqual([kube.named, path.problem, path.takes('/pipelines')], ['/pipelines', undefined, true]);
    time = minute - 1;
    await path.look();
    equal(kube.named, '/pipelines');
    time = minute;
    await path.look();
    deepEqual([kube.named, path.takes('/pipelines')], [first, true]);
    await path.look();
    await path.look();
    equal(path.takes('/pipelines'), false);
  });

  it('V2: another one, because the Secret was emptied, is known to all controllers when it is told', async () => {
    const kube = new Objects({ service: {} });
    const [one, two] = [pathOf(kube), pathOf(kube)];
    for (const path of [one, two]) await path.look();
    time = 10 * minute;
    kube.putSecret({});
    for (; kube.named === first; time += 10_000)
      for (const path of [one, two]) {
        await path.look();
        ok(one.takes(kube.named), `after ${time} ms`);
        ok(two.takes(kube.named), `after ${time} ms`);
      }
    equal(kube.named, second);
  });

  it('is made again when it is too short to be none that is guessed', async () => {
    const kube = new Objects({ service: {} });
    kube.putSecret({ path: Buffer.from('short').toString('base64'), 'tls.crt': 'eA==' });
    await pathOf(kube).look();
    equal(kube.named, first);
    equal(strings.parse(kube.secret?.['data'])['tls.crt'], 'eA==');
  });

  it('is taken, and told to nobody, where there is no configuration', async () => {
    const kube = new Objects({});
    kube.configuration = undefined;
    const path = pathOf(kube);
    ok(await path.look());
    ok(path.takes(first));
    equal(kube.configuration, undefined);
  });

  it('is none, and says once why, without the Secret', async () => {
    const kube = new Objects({ service: { path: '/pipelines' } });
    kube.secret = undefined;
    const path = pathOf(kube);
    for (const _ of [1, 2]) equal(await path.look(), false);
    match(path.problem ?? '', /there is no Secret "s" in namespace "millrace-system", which the chart makes/);
    equal(problems.length, 1);
    equal(path.takes('/pipelines'), false);
  });
});
