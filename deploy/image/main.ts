/**
 * `npm run image`: the image of every Millrace process, without a container tool and without root.
 *
 *     npm run image                                for the platform of this machine
 *     npm run image -- --arch arm64                for another
 *     npm run image -- --rootfs DIR                only its files, as a folder (deploy/image/Containerfile)
 *
 * It writes build/image/<arch>/: the OCI layout `oci/`, the archive `millrace-<version>-<arch>.tar` for
 * `ctr images import` and `docker load`, and its bill of materials `….cdx.json`. Built twice from one commit, and with the
 * same packages of Debian, it has the same bytes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ask } from './commands.ts';
import { partsOf } from './parts.ts';
import { archs, ownArch } from './platform.ts';
import { releaseOf } from './release.ts';
import { writeRootfs } from './rootfs.ts';
import { writeImage } from './write-image.ts';

const root = join(import.meta.dirname, '..', '..');

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: ownArch() ?? 'amd64' },
    name: { type: 'string' },
    rootfs: { type: 'string' },
  },
});

const arch = archs.find((each) => each === values.arch);
if (arch === undefined) throw new Error(`--arch is one of ${archs.join(', ')}, not ${values.arch}`);
const release = await releaseOf(root);
const work = await mkdtemp(join(tmpdir(), 'millrace-image-'));
try {
  await ask(process.execPath, ['scripts/build.ts'], root);
  const { parts, components } = await partsOf(arch, root, work, release);
  if (values.rootfs === undefined) {
    const name = values.name ?? `docker.io/millrace/millrace:${release.version}`;
    const out = join(root, 'build', 'image', arch);
    process.stdout.write(await writeImage({ arch, name, release, parts, components, out }));
  } else {
    await writeRootfs(
      values.rootfs,
      parts.flatMap(({ entries }) => entries),
    );
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
