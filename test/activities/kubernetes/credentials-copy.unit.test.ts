import assert from 'node:assert/strict';
import { copyFor } from '../../../activities/kubernetes/credentials-copy.ts';
import { compile } from '../../../crds/compile.ts';
import { pipelineSchema } from '../../../crds/pipeline.ts';
import type { KubeObject } from '../../../kubernetes/objects.ts';
import { annotations, apiVersion, kind } from '../../../model/names.ts';

type Values = Readonly<Record<string, string>>;

interface World {
  /** Of each Secret of the pipeline's namespace: key `k`. */
  readonly secrets: Values;
  readonly copied: Values;
  readonly version?: string;
  /** Keys that the live workload mounts. */
  readonly mounted: readonly string[];
  /** Name of the Secret that the plan refers to. */
  readonly wanted: string;
}

const place = { workloadNamespace: 'pipeline-x', isolation: 'Namespace', generation: 2, step: 's' } as const;
const pipeline = { namespace: 'shop', name: 'orders', uid: 'u' };
const op = {
  pipeline,
  id: 'op',
  kind: 'reconfigure',
  seq: 7,
  generation: 2,
  startedAt: '2026-01-01T00:00:00Z',
} as const;

function planWith(secret: string) {
  const sink = { url: 'http://ch', database: 'd', table: 't', username: 'u', password: `$(secret:${secret}/k)` };
  const spec = { sources: [{ name: 'numbers', http: {} }], sinks: [{ name: 'warehouse', clickhouse: sink }] };
  const metadata = { name: 'orders', namespace: 'shop', uid: 'u', generation: 2 };
  return compile(pipelineSchema.parse({ apiVersion, kind, metadata, spec }));
}

function encoded(values: Values): Values {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
}

/** Versions of Secrets are their values. */
async function copied({ secrets, copied: live, version = '3', mounted, wanted }: World) {
  const sources = Object.fromEntries(
    Object.entries(live).map(([key, value]) => [`Secret/${key.split('.')[1]}`, value]),
  );
  const copy = {
    metadata: {
      name: 'credentials',
      annotations: { [annotations.copiedFrom]: JSON.stringify(sources), 'millrace.io/credentials-version': version },
    },
    data: encoded(live),
  };
  const volumes = [{ name: 'credentials', secret: { items: mounted.map((key) => ({ key })) } }];
  const workload = { metadata: { name: 'sink-warehouse' }, spec: { template: { spec: { volumes } } } };
  const get = (_: string, name: string): Promise<KubeObject | undefined> => {
    if (name === 'credentials') return Promise.resolve(copy);
    const value = secrets[name];
    if (value === undefined) return Promise.resolve(undefined);
    return Promise.resolve({ metadata: { name, resourceVersion: value }, data: encoded({ k: value }) });
  };
  const list = () => Promise.resolve({ items: [workload], resourceVersion: '1' });
  const { data, ...rest } = await copyFor({ get, list }, planWith(wanted), { op, ...place });
  const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
  return { data: Object.fromEntries(decoded) as Values, ...rest };
}

describe('the copy of credentials', () => {
  it('U1: has what live pods mount beside what the plan refers to, each as it is now', async () => {
    const found = await copied({
      secrets: { old: 'a2', new: 'b' },
      copied: { 'secret.old.k': 'a', 'secret.older.k': 'z' },
      mounted: ['secret.old.k'],
      wanted: 'new',
    });
    assert.deepEqual(found.data, { 'secret.new.k': 'b', 'secret.old.k': 'a2' });
    assert.deepEqual(found.sources, { 'Secret/new': 'b', 'Secret/old': 'a2' });
  });

  it('U2: keeps what live pods mount and nobody has any more', async () => {
    const found = await copied({
      secrets: { new: 'b' },
      copied: { 'secret.old.k': 'a' },
      mounted: ['secret.old.k'],
      wanted: 'new',
    });
    assert.deepEqual(found.data, { 'secret.new.k': 'b', 'secret.old.k': 'a' });
    assert.deepEqual(found.sources, { 'Secret/new': 'b', 'Secret/old': 'a' });
  });

  it('what the plan refers to must be there, whatever was copied before', async () => {
    const world = { secrets: {}, copied: { 'secret.new.k': 'a' }, mounted: ['secret.new.k'], wanted: 'new' };
    await assert.rejects(copied(world), { code: 'MR_SECRET_MISSING' });
  });

  const versions: readonly [what: string, world: Omit<World, 'wanted'>, version: string][] = [
    [
      'a key that comes',
      { secrets: { old: 'a', new: 'b' }, copied: { 'secret.old.k': 'a' }, mounted: ['secret.old.k'] },
      '3',
    ],
    [
      'a mounted value that changes',
      { secrets: { new: 'b2' }, copied: { 'secret.new.k': 'b' }, mounted: ['secret.new.k'] },
      '7',
    ],
    ['a mounted value that was missing', { secrets: { new: 'b' }, copied: {}, mounted: ['secret.new.k'] }, '7'],
    ['nothing', { secrets: { new: 'b' }, copied: { 'secret.new.k': 'b' }, mounted: ['secret.new.k'] }, '3'],
  ];
  for (const [what, world, version] of versions) {
    it(`U4: by ${what} its version becomes ${version}`, async () => {
      assert.equal((await copied({ ...world, wanted: 'new' })).version, version);
    });
  }
});
