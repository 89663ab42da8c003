/**
 * The base of the image: what the Node binary links to, the certificate authorities, and users.
 *
 * The packages come through apt, which verifies them, into a folder of their own, for whichever platform is asked for:
 * nothing of this machine is changed or copied, and neither root nor a container tool is needed.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ask } from './commands.ts';
import type { Entry } from './entry.ts';
import { platforms, type Arch } from './platform.ts';
import type { Component } from './sbom.ts';

const packages = ['libc6', 'libgcc-s1', 'libstdc++6', 'ca-certificates'] as const;

/** What Node and the native modules ask the loader for, and what libc loads by itself to look names up. */
const libraries = [
  'libc.so.6',
  'libm.so.6',
  'libdl.so.2',
  'libpthread.so.0',
  'librt.so.1',
  'libresolv.so.2',
  'libnss_dns.so.2',
  'libnss_files.so.2',
  'libgcc_s.so.1',
  'libstdc++.so.6',
];

export interface Base {
  readonly entries: readonly Entry[];
  readonly components: readonly Component[];
}

/** `folder`: an empty one to work in. */
export async function debianBase(arch: Arch, folder: string): Promise<Base> {
  const root = join(folder, 'root');
  await mkdir(root);
  const apt = await aptFor(arch, folder);
  await apt(['update']);
  const unpack = async (names: readonly string[]): Promise<Component[]> => {
    await apt(['download', ...names]);
    const files = (await readdir(folder)).filter((name) => names.some((each) => name.startsWith(`${each}_`)));
    for (const file of files) await ask('dpkg-deb', ['-x', file, root], folder);
    return Promise.all(files.sort().map((file) => componentOf(arch, file, folder)));
  };
  const components = await unpack(packages);
  // Packages made from one source share their licence, in a package of its own.
  const licences = await licencesIn(root);
  components.push(...(await unpack(licences.elsewhere)));
  const entries = [...librariesIn(arch, root), ...(await authorities(root)), ...users, ...licences.entries];
  return { entries, components };
}

type Apt = (command: readonly string[]) => Promise<string>;

/** apt with its state in `folder`, as if this machine were of that platform. */
async function aptFor(arch: Arch, folder: string): Promise<Apt> {
  const state = join(folder, 'apt');
  for (const dir of ['lists/partial', 'cache/archives/partial']) await mkdir(join(state, dir), { recursive: true });
  const options = [
    `Dir::State=${state}`,
    `Dir::State::Lists=${state}/lists`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${state}/cache`,
    `APT::Architecture=${arch}`,
    `APT::Architectures=${arch}`,
    'Acquire::Languages=none',
    'APT::Sandbox::User=',
  ].flatMap((option) => ['-o', option]);
  return (command) => ask('apt-get', [...options, '--quiet', ...command], folder);
}

async function componentOf(arch: Arch, file: string, folder: string): Promise<Component> {
  const said = await ask('dpkg-deb', ['-W', '--showformat=${Package} ${Version}', file], folder);
  const [name = file, version = ''] = said.split(' ');
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}`;
  return { name, version, purl };
}

/** `elsewhere`: packages that have the licences of others. */
async function licencesIn(root: string): Promise<{ readonly entries: Entry[]; readonly elsewhere: string[] }> {
  const entries: Entry[] = [];
  const elsewhere = new Set<string>();
  for (const name of packages) {
    const link = await readlink(join(root, 'usr/share/doc', name)).catch(() => undefined);
    if (link !== undefined) elsewhere.add(link);
    const path = `usr/share/doc/${name}/copyright`;
    entries.push({ kind: 'file', path, from: join(root, 'usr/share/doc', link ?? name, 'copyright') });
  }
  return { entries, elsewhere: [...elsewhere] };
}

/**
 * Debian has them in /lib or in /usr/lib, by its release; here they are in /usr/lib, and /lib leads there. A library
 * that is a link is resolved: the image has each under the one name that is asked for.
 */
function librariesIn(arch: Arch, root: string): Entry[] {
  const { libraries: folder, loader } = platforms[arch];
  const find = (path: string): string => {
    const found = ['', 'usr'].map((start) => join(root, start, path)).find((each) => existsSync(each));
    if (found !== undefined) return found;
    throw new Error(`none of ${packages.join(', ')} has ${path}; the image is built on Debian 12 or later`);
  };
  const entries: Entry[] = [
    { kind: 'link', path: 'lib', to: 'usr/lib' },
    { kind: 'link', path: 'lib64', to: 'usr/lib64' },
    { kind: 'directory', path: 'usr/lib64', mode: 0o755 },
    { kind: 'file', path: `usr/${loader}`, from: find(loader), isProgram: true },
  ];
  for (const name of libraries) {
    const path = `lib/${folder}/${name}`;
    entries.push({ kind: 'file', path: `usr/${path}`, from: find(path) });
  }
  return entries;
}

/** One file with all authorities, where OpenSSL and rustls look. Node has its own, Temporal's client uses this one. */
async function authorities(root: string): Promise<Entry[]> {
  const folder = join(root, 'usr/share/ca-certificates/mozilla');
  const names = (await readdir(folder)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return [{ kind: 'text', path: 'etc/ssl/certs/ca-certificates.crt', text: texts.join('') }];
}

/** Nobody logs in; a uid without a name would be enough for Kubernetes, and libraries ask for the name. */
const users: readonly Entry[] = [
  {
    kind: 'text',
    path: 'etc/passwd',
    text: 'root:x:0:0:root:/root:/sbin/nologin\nmillrace:x:65532:65532::/tmp:/sbin/nologin\n',
  },
  { kind: 'text', path: 'etc/group', text: 'root:x:0:\nmillrace:x:65532:\n' },
  { kind: 'text', path: 'etc/nsswitch.conf', text: 'hosts: files dns\n' },
  { kind: 'directory', path: 'tmp', mode: 0o1777 },
];
