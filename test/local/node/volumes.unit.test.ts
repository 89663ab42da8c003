import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeVolume } from '../../../local/node/volumes.ts';
import { placement, pod, sources } from './builders.ts';

describe('volumes', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-volume-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  const write = async (volume: object, held: Parameters<typeof sources>[0] = {}) => {
    const of = pod({}, { volumes: [{ name: 'v', ...volume }] });
    const [parsed] = of.spec.volumes;
    if (!parsed) throw new TypeError('the pod has a volume');
    const token = (audience: string | undefined) => Promise.resolve(`token for ${audience ?? 'the API'}`);
    return await writeVolume(join(dir, 'v'), parsed, { pod: of, placement, lookup: sources(held), token });
  };
  const visible = async () => (await readdir(join(dir, 'v'))).filter((name) => !name.startsWith('..')).toSorted();
  const read = (path: string) => readFile(join(dir, 'v', path), 'utf8');

  it('holds a file for each key of a ConfigMap', async () => {
    await write({ configMap: { name: 'c' } }, { 'ConfigMap/c': { 'plan.json': '{}', other: 'o' } });
    deepStrictEqual(await visible(), ['other', 'plan.json']);
    strictEqual(await read('plan.json'), '{}');
  });

  it('holds only the wanted keys of a Secret, at the wanted paths and modes', async () => {
    const secret = { secretName: 's', items: [{ key: 'k', path: 'deep/er/k', mode: 0o400 }] };
    await write({ secret }, { 'Secret/s': { k: 'secret', left: 'out' } });
    deepStrictEqual(await visible(), ['deep']);
    strictEqual(await read('deep/er/k'), 'secret');
    strictEqual((await stat(join(dir, 'v', 'deep/er/k'))).mode & 0o777, 0o400);
  });

  it('puts several sources of a projected volume into one directory', async () => {
    const projected = {
      sources: [
        { configMap: { name: 'c' } },
        { secret: { name: 's', optional: true } },
        { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        { serviceAccountToken: { path: 'token' } },
      ],
    };
    await write({ projected }, { 'ConfigMap/c': { a: '1' } });
    deepStrictEqual(await visible(), ['a', 'name', 'token']);
    strictEqual(await read('token'), 'token for the API');
  });

  it('A1: adds, changes and removes files of all keys in one step', async () => {
    const volume = { configMap: { name: 'c' } };
    await write(volume, { 'ConfigMap/c': { a: '1', b: '1' } });
    const before = await readdir(join(dir, 'v', '..data'));
    ok(await write(volume, { 'ConfigMap/c': { b: '2', c: '2' } }));
    deepStrictEqual(before, ['a', 'b']);
    deepStrictEqual(await visible(), ['b', 'c']);
    strictEqual(await read('b'), '2');
    strictEqual((await readdir(join(dir, 'v'))).length, 4, 'nothing of the version before is left');
  });

  it('A2: writes nothing when nothing has changed', async () => {
    const volume = { configMap: { name: 'c' } };
    await write(volume, { 'ConfigMap/c': { a: '1' } });
    strictEqual(await write(volume, { 'ConfigMap/c': { a: '1' } }), false);
  });

  it('Y1: names a missing ConfigMap', async () => {
    await rejects(write({ configMap: { name: 'c' } }), {
      reason: 'ContainerCreating',
      message: 'configmap "c" not found',
    });
  });

  it('Y1: names a missing key', async () => {
    const configMap = { name: 'c', items: [{ key: 'k', path: 'k' }] };
    await rejects(write({ configMap }, { 'ConfigMap/c': {} }), {
      message: 'configmap "c" references non-existent key: k',
    });
  });

  it('Y2: is empty when what it wants is optional and missing', async () => {
    await write({ secret: { secretName: 's', optional: true } });
    deepStrictEqual(await visible(), []);
  });

  it('says that it does not know a kind of volume', async () => {
    await rejects(write({ persistentVolumeClaim: { claimName: 'x' } }), {
      message: 'volume "v": the local node has no volumes of kind persistentVolumeClaim',
    });
  });

  it('refuses a path that leaves the volume', async () => {
    const configMap = { name: 'c', items: [{ key: 'k', path: '../k' }] };
    await rejects(write({ configMap }, { 'ConfigMap/c': { k: '' } }), RangeError);
  });
});
