/** The image as bytes: that it is the same when built again, and what others read in it. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';
import type { Entry } from '../../deploy/image/entry.ts';
import { makeLayer } from '../../deploy/image/layer.ts';
import { ociImage } from '../../deploy/image/oci.ts';
import { npmComponents, sbomOf } from '../../deploy/image/sbom.ts';

const descriptor = z.object({ digest: z.string(), size: z.number() });
const indexSchema = z.object({
  manifests: z.tuple([descriptor.extend({ annotations: z.unknown(), platform: z.unknown() })]),
});
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const configSchema = z.object({ rootfs: z.object({ diff_ids: z.array(z.string()) }), config: z.unknown() });
const dockerSchema = z.tuple([
  z.object({ Config: z.string(), RepoTags: z.array(z.string()), Layers: z.array(z.string()) }),
]);

describe('the image', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-image-test-'));
    await writeFile(join(folder, 'code.js'), 'code', { mode: 0o600 });
  });
  after(() => rm(folder, { recursive: true }));

  const entries = (): Entry[] => [
    { kind: 'text', path: 'usr/local/bin/run', text: '#!/bin/x\n', isProgram: true },
    { kind: 'file', path: 'opt/app/code.js', from: join(folder, 'code.js') },
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
    { kind: 'link', path: 'lib', to: 'usr/lib' },
  ];

  async function listed(bytes: Uint8Array): Promise<string[]> {
    const lines: string[] = [];
    const tar = extract();
    tar.end(gunzipSync(bytes));
    for await (const entry of tar) {
      const { name, type, mode, uid, gid, mtime } = entry.header;
      lines.push(`${type} ${name} ${mode.toString(8)} ${uid}:${gid} ${mtime.getTime()}`);
      entry.resume();
    }
    return lines;
  }

  it('has a layer with directories before what is in them, owned by root, without times or rights of the machine', async () => {
    const { bytes } = await makeLayer('test', entries());
    deepEqual(await listed(bytes), [
      'symlink lib 777 0:0 0',
      'directory opt 755 0:0 0',
      'directory opt/app 755 0:0 0',
      'file opt/app/code.js 444 0:0 0',
      'directory tmp 1777 0:0 0',
      'directory usr 755 0:0 0',
      'directory usr/local 755 0:0 0',
      'directory usr/local/bin 755 0:0 0',
      'file usr/local/bin/run 555 0:0 0',
    ]);
  });

  it('has the same layer whatever the order in which files were found', async () => {
    const [one, other] = [await makeLayer('test', entries()), await makeLayer('test', entries().toReversed())];
    equal(one.digest, other.digest);
  });

  it('is a layout in which each descriptor names a blob of its size, for OCI and for Docker', async () => {
    const layers = [await makeLayer('base', entries().slice(0, 1)), await makeLayer('code', entries().slice(1))];
    const run = {
      Entrypoint: ['/usr/local/bin/run'],
      Env: ['PATH=/usr/local/bin'],
      User: '65532:65532',
      WorkingDir: '/tmp',
    };
    const name = 'docker.io/millrace/millrace:1.2.3';
    const { files, digest } = ociImage({
      arch: 'arm64',
      name,
      createdAt: '2026-01-01T00:00:00Z',
      labels: {},
      layers,
      run,
    });
    const blob = ({ digest: of, size }: z.output<typeof descriptor>): Uint8Array => {
      const found = files.get(`blobs/${of.replace(':', '/')}`);
      ok(found, of);
      equal(found.length, size);
      return found;
    };
    const read = (bytes: Uint8Array | undefined): unknown => JSON.parse(Buffer.from(bytes ?? []).toString());
    const index = indexSchema.parse(read(files.get('index.json')));
    const [entry] = index.manifests;
    equal(entry.digest, digest);
    deepEqual(entry.platform, { architecture: 'arm64', os: 'linux' });
    deepEqual(entry.annotations, { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': '1.2.3' });
    const manifest = manifestSchema.parse(read(blob(entry)));
    equal(manifest.layers.map(blob).length, 2);
    const config = configSchema.parse(read(blob(manifest.config)));
    deepEqual(
      config.rootfs.diff_ids,
      layers.map(({ diffId }) => diffId),
    );
    deepEqual(config.config, { ...run, Labels: {} });
    const [docker] = dockerSchema.parse(read(files.get('manifest.json')));
    deepEqual(docker.RepoTags, ['millrace/millrace:1.2.3']);
    for (const path of [docker.Config, ...docker.Layers]) ok(files.has(path), path);
  });

  it('lists each package once, also those within others, and with their scope', async () => {
    const root = join(import.meta.dirname, '../..');
    const paths = [
      'node_modules/zod/index.js',
      'node_modules/zod/v4/index.js',
      'node_modules/@nats-io/nuid/lib/nuid.js',
    ];
    const components = await npmComponents(root, paths);
    const own = z.object({ dependencies: z.record(z.string(), z.string()) });
    const { dependencies } = own.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
    deepEqual(components.map(({ purl }) => purl.replace(/@[^@]*$/, '')).sort(), [
      'pkg:npm/%40nats-io/nuid',
      'pkg:npm/zod',
    ]);
    ok(components.some(({ purl, licence }) => purl === `pkg:npm/zod@${dependencies['zod']}` && licence === 'MIT'));
    const document = sbomOf(
      { version: '1', revision: 'r', createdAt: '2026-01-01T00:00:00Z' },
      components.toReversed(),
    );
    equal(document, sbomOf({ version: '1', revision: 'r', createdAt: '2026-01-01T00:00:00Z' }, components));
  });
});
