/**
 * An image as an OCI layout (https://github.com/opencontainers/image-spec, v1.1): a folder, and one tar of it, which
 * `ctr images import`, `docker load`, `podman load` and `skopeo` take. `manifest.json` in it is for Docker before 25.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { blobOf, type Blob, type Layer } from './layer.ts';
import type { Arch } from './platform.ts';

export interface ImageOptions {
  readonly arch: Arch;
  /** `docker.io/millrace/millrace:0.1.0`. */
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly layers: readonly Layer[];
  readonly run: {
    readonly Entrypoint: readonly string[];
    readonly Env: readonly string[];
    /** `uid:gid`. */
    readonly User: string;
    readonly WorkingDir: string;
  };
}

export interface OciImage {
  /** By path in the layout. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of its manifest: what `name@sha256:…` refers to. */
  readonly digest: string;
}

const media = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

export function ociImage(options: ImageOptions): OciImage {
  const { arch, name, createdAt, labels, layers, run } = options;
  const config = blobOfJson({
    created: createdAt,
    architecture: arch,
    os: 'linux',
    config: { ...run, Labels: labels },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ createdBy }) => ({ created: createdAt, created_by: createdBy })),
  });
  const manifest = blobOfJson({
    schemaVersion: 2,
    mediaType: media.manifest,
    config: descriptor(media.config, config),
    layers: layers.map((layer) => descriptor(media.layer, layer)),
    annotations: labels,
  });
  const index = {
    schemaVersion: 2,
    mediaType: media.index,
    manifests: [
      {
        ...descriptor(media.manifest, manifest),
        platform: { architecture: arch, os: 'linux' },
        annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tagOf(name) },
      },
    ],
  };
  const docker = [
    { Config: pathOf(config), RepoTags: [name.replace(/^docker\.io\//, '')], Layers: layers.map(pathOf) },
  ];
  const blobs = [...layers, config, manifest].map((blob) => [pathOf(blob), blob.bytes] as const);
  const files = new Map<string, Uint8Array>([
    ['oci-layout', json({ imageLayoutVersion: '1.0.0' })],
    ['index.json', json(index)],
    ['manifest.json', json(docker)],
    ...blobs,
  ]);
  return { files, digest: manifest.digest };
}

/** `folder`: is made; nothing else is in it. */
export async function writeLayout({ files }: OciImage, folder: string): Promise<void> {
  await mkdir(join(folder, 'blobs', 'sha256'), { recursive: true });
  for (const [path, bytes] of files) await writeFile(join(folder, path), bytes);
}

export async function writeArchive({ files }: OciImage, path: string): Promise<void> {
  const tar = pack();
  const all = buffer(tar);
  for (const [name, bytes] of files) tar.entry({ name, mode: 0o644, mtime: new Date(0) }, Buffer.from(bytes));
  tar.finalize();
  await writeFile(path, await all);
}

function tagOf(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

function pathOf({ digest }: Blob): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function descriptor(mediaType: string, { digest, bytes }: Blob) {
  return { mediaType, digest, size: bytes.length };
}

function blobOfJson(value: unknown): Blob {
  return blobOf(json(value));
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
