/**
 * The images of the node: Millrace's, as `npm run image` makes it, and those of the chart's other parts, made of the binaries
 * that the local stack uses, under the names by which the chart asks for them.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Entry } from '../../../deploy/image/entry.ts';
import { makeLayer } from '../../../deploy/image/layer.ts';
import { ociImage, writeArchive } from '../../../deploy/image/oci.ts';
import { ownArch } from '../../../deploy/image/platform.ts';
import { binaryVersions, resolveBinary, type BinaryName } from '../../../local/binaries/resolve.ts';
import { ctr, pauseImage } from './machine.ts';
import { sh } from './shell.ts';

const root = join(import.meta.dirname, '..', '..', '..');

/** Where Millrace's is as a folder, once it is made. */
export const millraceLayout = join(root, 'build', 'image', ownArch() ?? 'amd64', 'oci');

/** Waits until it is asked to end. */
const pauseProgram = `package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
`;

/** Makes what is missing in `dir`, and returns the archives. */
export async function makeImages(dir: string): Promise<readonly string[]> {
  await mkdir(dir, { recursive: true });
  return [
    await millraceImage(),
    await pause(dir),
    await imageOf(dir, 'nats-server', `docker.io/library/nats:${binaryVersions['nats-server']}`),
    await imageOf(dir, 'temporal', `docker.io/temporalio/temporal:${binaryVersions.temporal}`),
  ];
}

export async function importImages(dir: string, archives: readonly string[]): Promise<void> {
  for (const archive of archives) await ctr(dir, 'images', 'import', archive);
}

/** The last line that it prints is the archive. */
async function millraceImage(): Promise<string> {
  const said = await sh(process.execPath, join(root, 'deploy/image/main.ts'));
  const archive = said.trim().split('\n').at(-1) ?? '';
  if (!archive.endsWith('.tar')) throw new Error(`npm run image has printed no archive: ${said}`);
  return archive;
}

async function pause(dir: string): Promise<string> {
  const source = join(dir, 'pause.go');
  const program = join(dir, 'pause');
  await writeFile(source, pauseProgram);
  await sh('env', 'CGO_ENABLED=0', 'GOFLAGS=-mod=mod', 'go', 'build', '-ldflags', '-s -w', '-o', program, source);
  return write(dir, pauseImage, [{ kind: 'file', path: 'pause', from: program, isProgram: true }], ['/pause']);
}

async function imageOf(dir: string, name: BinaryName, image: string): Promise<string> {
  const binary = await resolveBinary(name);
  const entries: Entry[] = [
    { kind: 'file', path: `usr/local/bin/${name}`, from: binary, isProgram: true },
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
    // Temporal asks who runs it.
    { kind: 'text', path: 'etc/passwd', text: 'part:x:1000:1000::/tmp:/none\n' },
    ...(await librariesOf(binary)),
  ];
  return write(dir, image, entries, [`/usr/local/bin/${name}`]);
}

/** Of a program that is linked to the C library of this machine; none of one that is not. */
async function librariesOf(binary: string): Promise<Entry[]> {
  const said = await sh('ldd', binary).catch(() => '');
  const files = [...said.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, file = '']) => file);
  return files.map((file) => ({ kind: 'file', path: file.slice(1), from: file, isProgram: true }));
}

async function write(
  dir: string,
  name: string,
  entries: readonly Entry[],
  entrypoint: readonly string[],
): Promise<string> {
  const layer = await makeLayer(name, entries);
  const run = { Entrypoint: entrypoint, Env: ['PATH=/usr/local/bin'], User: '1000:1000', WorkingDir: '/tmp' };
  const image = ociImage({
    ...{ arch: ownArch() ?? 'amd64', name, createdAt: new Date(0).toISOString(), layers: [layer], labels: {}, run },
  });
  const file = join(dir, `${name.replaceAll(/[/:]/g, '-')}.tar`);
  await writeArchive(image, file);
  return file;
}
