/** Makes the image of these parts and writes it. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeLayer } from './layer.ts';
import { ociImage, writeArchive, writeLayout } from './oci.ts';
import type { Part } from './parts.ts';
import type { Arch } from './platform.ts';
import type { Release } from './release.ts';
import { sbomOf, type Component } from './sbom.ts';

interface Wanted {
  readonly arch: Arch;
  /** `docker.io/millrace/millrace:0.1.0`. */
  readonly name: string;
  readonly release: Release;
  readonly parts: readonly Part[];
  readonly components: readonly Component[];
  /** Is replaced. */
  readonly out: string;
}

/** Returns what a person wants to know of it. */
export async function writeImage({ arch, name, release, parts, components, out }: Wanted): Promise<string> {
  const { version, revision, createdAt, licence, description } = release;
  const layers = await Promise.all(parts.map(({ what, entries }) => makeLayer(what, entries)));
  const image = ociImage({
    ...{ arch, name, createdAt, layers },
    labels: {
      'org.opencontainers.image.title': 'millrace',
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': revision,
      'org.opencontainers.image.created': createdAt,
      'org.opencontainers.image.licenses': licence,
    },
    run: {
      Entrypoint: ['/usr/local/bin/millrace'],
      Env: ['PATH=/usr/local/bin', 'NODE_ENV=production', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'],
      User: '65532:65532',
      WorkingDir: '/tmp',
    },
  });
  await rm(out, { recursive: true, force: true });
  await writeLayout(image, join(out, 'oci'));
  const base = join(out, `millrace-${version}-${arch}`);
  await writeArchive(image, `${base}.tar`);
  await writeFile(`${base}.cdx.json`, sbomOf(release, components));
  const lines = layers.map(
    ({ createdBy, size, bytes }) => `${mebibytes(size)} ${mebibytes(bytes.length)} compressed  ${createdBy}`,
  );
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  return [...lines, `${mebibytes(total)}  ${name} (${arch})`, image.digest, `${base}.tar`, ''].join('\n');
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`.padStart(9);
}
