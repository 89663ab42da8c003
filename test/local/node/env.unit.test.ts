import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import { expand, resolveEnv } from '../../../local/node/env.ts';
import { mountsOf, rewrite } from '../../../local/node/mounts.ts';
import { firstContainer, placement, pod, sources } from './builders.ts';

describe('environment of a container', () => {
  const envOf = async (container: object, held: Parameters<typeof sources>[0] = {}) => {
    const of = pod(container);
    return Object.fromEntries(await resolveEnv(of, firstContainer(of), placement, sources(held)));
  };
  const field = (fieldPath: string) => ({ name: 'X', valueFrom: { fieldRef: { fieldPath } } });

  it('V1: a later variable replaces an earlier one, and env those of envFrom', async () => {
    const env = await envOf(
      {
        envFrom: [{ configMapRef: { name: 'c' } }, { prefix: 'S_', secretRef: { name: 's' } }],
        env: [{ name: 'B', value: 'own' }],
      },
      { 'ConfigMap/c': { A: 'a', B: 'b' }, 'Secret/s': { K: 'k' } },
    );
    deepStrictEqual(env, { A: 'a', B: 'own', S_K: 'k' });
  });

  it('V2: expands variables defined before, and leaves unknown and escaped ones', () => {
    const env = new Map([['A', '1']]);
    strictEqual(expand('$(A)/$(B)/$$(A)/$A/$(A', env), '1/$(B)/$(A)/$A/$(A');
  });

  for (const [path, value] of [
    ['metadata.name', 'p'],
    ['metadata.namespace', 'shop'],
    ['metadata.uid', 'u'],
    ["metadata.labels['a/b']", 'y'],
    ["metadata.annotations['note']", 'n'],
    ["metadata.labels['none']", ''],
    ['spec.nodeName', 'local'],
    ['status.podIP', '127.77.0.1'],
    ['status.hostIP', '127.0.0.1'],
  ] as const) {
    it(`knows the field ${path}`, async () => {
      deepStrictEqual(await envOf({ env: [field(path)] }), { X: value });
    });
  }

  const secretKey = (extra: object) => ({ name: 'X', valueFrom: { secretKeyRef: { name: 's', key: 'k', ...extra } } });

  it('V3: names a missing Secret', async () => {
    await rejects(envOf({ env: [secretKey({})] }), {
      reason: 'CreateContainerConfigError',
      message: 'secret "s" not found',
    });
  });

  it('V3: names a missing key', async () => {
    await rejects(envOf({ env: [secretKey({})] }, { 'Secret/s': {} }), { message: "couldn't find key k in Secret s" });
  });

  it('V3: leaves out what is optional and missing', async () => {
    deepStrictEqual(
      await envOf({ env: [secretKey({ optional: true })], envFrom: [{ secretRef: { name: 'n', optional: true } }] }),
      {},
    );
  });

  it('refuses a source that it does not know, by name', async () => {
    const env = [{ name: 'X', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }];
    await rejects(envOf({ env }), { reason: 'UnsupportedField', message: /env X: .*not resourceFieldRef/ });
  });
});

describe('mount paths', () => {
  const container = firstContainer(
    pod({
      volumeMounts: [
        { name: 'a', mountPath: '/etc/a' },
        { name: 'deep', mountPath: '/etc/a/deep/' },
        { name: 'sub', mountPath: '/etc/file', subPath: 'x.json' },
      ],
    }),
  );
  const mounts = mountsOf(container, (volume) => `/data/${volume}`);

  for (const [written, read] of [
    ['/etc/a', '/data/a'],
    ['/etc/a/f.json', '/data/a/f.json'],
    ['/etc/a/deep/f', '/data/deep/f'],
    ['/etc/file', '/data/sub/x.json'],
    ['/etc/ab', '/etc/ab'],
    ['--file=/etc/a/f', '--file=/etc/a/f'],
  ] as const) {
    it(`M1, M2: ${written} is ${read}`, () => {
      strictEqual(rewrite(written, mounts), read);
    });
  }
});
