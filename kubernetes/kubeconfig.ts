/**
 * Where the API server is and with which identity: the kubeconfig, as kubectl finds and reads it, or a pod's service
 * account.
 *
 * C1  A kubeconfig with certificates and tokens is read here. @kubernetes/client-node, whose import takes 90 MB and
 *     half a second, is loaded at the first request only for what it alone supports (exec plugins, proxies, …).
 * C2  Several files in `KUBECONFIG` are merged: the first that defines a name, or a current context, wins.
 * C3  Referenced files are read for each request: certificates and service account tokens are replaced at run time.
 * C4  No content of a kubeconfig is ever in a message: it contains keys.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { mr } from '../model/errors.ts';
import { isSystemError } from '../model/system-error.ts';

export interface KubeAccess {
  /** A URL. */
  readonly server: string;
  /** Namespace of the context. */
  readonly namespace?: string | undefined;
  /** The options bring an agent of their own, which must be used. */
  readonly hasProxy: boolean;
  /** TLS and headers of the next request (C3). */
  options(): Promise<RequestOptions>;
}

export interface Kubeconfig {
  hasContext(name: string): boolean;
  /** The current context unless another is named. */
  access(context?: string): KubeAccess;
}

const text = z.string().min(1).nullish();
const clusterSchema = z.looseObject({
  server: z.string(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': z.boolean().nullish(),
  'proxy-url': text,
});
const userSchema = z.looseObject({
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  token: text,
  tokenFile: text,
});
const listOf = <T extends z.ZodType>(entry: T) => z.array(entry).nullish();
const fileSchema = z.looseObject({
  'current-context': text,
  clusters: listOf(z.looseObject({ name: z.string(), cluster: clusterSchema })),
  users: listOf(z.looseObject({ name: z.string(), user: userSchema.nullish() })),
  contexts: listOf(
    z.looseObject({
      name: z.string(),
      context: z.looseObject({ cluster: z.string(), user: z.string().default(''), namespace: text }),
    }),
  ),
});

type Cluster = z.output<typeof clusterSchema>;
type User = z.output<typeof userSchema>;

/** Fields that are read here; any other field is left to the library (C1). Extensions are notes of other programs. */
const known = new Set([...Object.keys(clusterSchema.shape), ...Object.keys(userSchema.shape), 'extensions']);
known.delete('proxy-url');

const serviceAccountDir = '/var/run/secrets/kubernetes.io/serviceaccount';

/** From `path`, or else from `KUBECONFIG`, `~/.kube/config` or the pod's service account. */
export function loadKubeconfig(path: string | undefined, env: NodeJS.ProcessEnv = process.env): Kubeconfig {
  const files = path === undefined ? defaultFiles(env) : [path];
  if (files.length > 0) return new Files(files);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined || !existsSync(join(serviceAccountDir, 'token'))) throw mr('MR_KUBECONFIG_MISSING', {});
  return inCluster(host, port);
}

function defaultFiles(env: NodeJS.ProcessEnv): readonly string[] {
  const named = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (named.length > 0) return named;
  const usual = join(env['HOME'] ?? homedir(), '.kube', 'config');
  return existsSync(usual) ? [usual] : [];
}

function inCluster(host: string, port: string): Kubeconfig {
  const cluster = {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    'certificate-authority': 'ca.crt',
  };
  const access = plainAccess({
    cluster,
    clusterDir: serviceAccountDir,
    user: { tokenFile: 'token' },
    userDir: serviceAccountDir,
  });
  return { hasContext: () => false, access: () => access };
}

class Files implements Kubeconfig {
  readonly #files: readonly string[];
  readonly #read: readonly { readonly dir: string; readonly content: z.output<typeof fileSchema> }[];

  constructor(files: readonly string[]) {
    this.#files = files;
    this.#read = files.map((file) => ({ dir: dirname(resolve(file)), content: readOne(file) }));
  }

  hasContext(name: string): boolean {
    return this.#context(name) !== undefined;
  }

  access(context = this.#current()): KubeAccess {
    const named = this.#context(context);
    if (named === undefined) throw this.#unusable(`its context "${context}" does not exist`);
    const cluster = this.#find('clusters', named.cluster);
    if (cluster === undefined) throw this.#unusable(`its cluster "${named.cluster}" does not exist`);
    const user = this.#find('users', named.user);
    if (user === undefined && named.user !== '') throw this.#unusable(`its user "${named.user}" does not exist`);
    const namespace = named.namespace ?? undefined;
    const found = {
      cluster: cluster.entry.cluster,
      clusterDir: cluster.dir,
      user: user?.entry.user ?? {},
      userDir: user?.dir ?? '',
    };
    const isKnown = [found.cluster, found.user].every((entry) => Object.keys(entry).every((key) => known.has(key)));
    // Plain HTTP is refused by the library unless nothing is to be verified: a token must not go over an open wire.
    const isSecret = found.cluster.server.startsWith('https:');
    const access = isKnown && isSecret ? plainAccess(found) : libraryAccess(this.#files, context, found.cluster);
    return { ...access, namespace };
  }

  #current(): string {
    const named = this.#read.map(({ content }) => content['current-context']).find((each) => each != null);
    if (named == null) throw this.#unusable('it has no current context');
    return named;
  }

  #context(name: string) {
    return this.#find('contexts', name)?.entry.context;
  }

  /** C2. */
  #find<K extends 'clusters' | 'users' | 'contexts'>(list: K, name: string) {
    for (const { dir, content } of this.#read) {
      const entries: readonly Entry<K>[] = content[list] ?? [];
      const entry = entries.find((each) => each.name === name);
      if (entry !== undefined) return { dir, entry };
    }
    return undefined;
  }

  #unusable(problem: string): Error {
    return mr('MR_KUBECONFIG_UNREADABLE', { file: this.#files.join(delimiter), problem });
  }
}

type Entry<K extends 'clusters' | 'users' | 'contexts'> = NonNullable<z.output<typeof fileSchema>[K]>[number];

function readOne(file: string): z.output<typeof fileSchema> {
  try {
    return fileSchema.parse(parse(readFileSync(file, 'utf8')));
  } catch (error) {
    // C4.
    const problem = isSystemError(error, 'ENOENT')
      ? 'there is no such file'
      : isSystemError(error, 'EACCES', 'EISDIR')
        ? `it cannot be read (${error.code ?? ''})`
        : 'it is not a kubeconfig';
    throw mr('MR_KUBECONFIG_UNREADABLE', { file, problem }, { cause: error });
  }
}

interface Found {
  readonly cluster: Cluster;
  readonly clusterDir: string;
  readonly user: User;
  readonly userDir: string;
}

function plainAccess({ cluster, clusterDir, user, userDir }: Found): KubeAccess {
  const ca = content(cluster['certificate-authority-data'], cluster['certificate-authority'], clusterDir);
  const cert = content(user['client-certificate-data'], user['client-certificate'], userDir);
  const key = content(user['client-key-data'], user['client-key'], userDir);
  const token = user.tokenFile == null ? undefined : resolve(userDir, user.tokenFile);
  return {
    server: cluster.server,
    hasProxy: false,
    async options() {
      const tls = { ca: await ca(), cert: await cert(), key: await key() };
      const bearer = token === undefined ? user.token : (await readFile(token, 'utf8')).trim();
      return {
        ...Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
        rejectUnauthorized: cluster['insecure-skip-tls-verify'] !== true,
        ...(bearer == null ? {} : { headers: { authorization: `Bearer ${bearer}` } }),
      };
    },
  };
}

/** C3. */
function content(data: string | null | undefined, file: string | null | undefined, dir: string) {
  const decoded = data == null ? undefined : Buffer.from(data, 'base64');
  const path = file == null ? undefined : resolve(dir, file);
  return async () => decoded ?? (path === undefined ? undefined : await readFile(path));
}

/** C1. */
function libraryAccess(files: readonly string[], context: string, cluster: Cluster): KubeAccess {
  const load = async () => {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const all = new KubeConfig();
    for (const [index, file] of files.entries()) {
      const one = index === 0 ? all : new KubeConfig();
      one.loadFromFile(file);
      if (one !== all) all.mergeConfig(one, true);
    }
    all.setCurrentContext(context);
    return all;
  };
  let loading: ReturnType<typeof load> | undefined;
  return {
    server: cluster.server,
    hasProxy: cluster['proxy-url'] != null,
    async options() {
      const options: RequestOptions = {};
      loading ??= load();
      const loaded = await loading.catch((error: unknown) => {
        // A file that is being written is complete a moment later.
        loading = undefined;
        throw error;
      });
      await loaded.applyToHTTPSOptions(options);
      return options;
    },
  };
}
