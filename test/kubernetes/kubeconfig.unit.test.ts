import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function config(cluster: object, user: object, more: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    clusters: [
      { name: 'c', cluster: { server: 'https://kube:6443', ...cluster } },
      { name: 'other', cluster: { server: 'https://other:6443' } },
    ],
    users: [
      { name: 'u', user },
      { name: 'somebody', user: { token: 'sesame' } },
    ],
    contexts: [
      { name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } },
      { name: 'there', context: { cluster: 'other', user: 'somebody' } },
    ],
    ...more,
  };
}

const kubeconfigs: readonly [string, object][] = [
  ['nothing but a server', config({}, {})],
  ['plain HTTP', config({ server: 'http://127.0.0.1:8001', 'insecure-skip-tls-verify': true }, {})],
  ['an authority and a token', config({ 'certificate-authority-data': base64('CA') }, { token: 'open' })],
  ['an authority in a file', config({ 'certificate-authority': 'ca.crt' }, { token: 'open' })],
  ['a client certificate', config({}, { 'client-certificate-data': base64('CRT'), 'client-key-data': base64('KEY') })],
  ['a client certificate in files', config({}, { 'client-certificate': 'ca.crt', 'client-key': 'key' })],
  ['no verification', config({ 'insecure-skip-tls-verify': true }, {})],
  ['notes of other programs', config({ extensions: [{ name: 'minikube', extension: { version: 1 } }] }, {})],
  ['name and password', config({}, { username: 'ann', password: 'x' })],
  ['another name in the certificate', config({ 'tls-server-name': 'kubernetes' }, {})],
  ['an exec plugin', config({}, { exec: plugin() })],
];

/** Prints a credential. */
function plugin() {
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'made' },
  };
  return {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: ['-e', `console.log('${JSON.stringify(credential)}')`],
    interactiveMode: 'Never',
  };
}

describe('kubeconfig', () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-kubeconfig-'));
    file = join(dir, 'config');
    await writeFile(join(dir, 'ca.crt'), 'CA from a file');
    await writeFile(join(dir, 'key'), 'KEY from a file');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  for (const [name, content] of kubeconfigs) {
    it(`means the same as to the library of Kubernetes: ${name}`, async () => {
      await writeFile(file, stringify(content));
      const access = loadKubeconfig(file).access();
      const library = new KubeConfig();
      library.loadFromFile(file);
      const theirs: RequestOptions = {};
      await library.applyToHTTPSOptions(theirs);
      deepEqual(meaningOf(await access.options()), meaningOf(theirs));
      deepEqual([access.server, access.namespace], [library.getCurrentCluster()?.server, 'shop']);
    });
  }

  it('sends no token over plain HTTP, as the library does not', async () => {
    await writeFile(file, stringify(config({ server: 'http://127.0.0.1:8001' }, { token: 'open' })));
    await rejects(loadKubeconfig(file).access().options(), /HTTP protocol is not allowed/);
  });

  it('C1: the library is not loaded for certificates and tokens', async () => {
    await writeFile(file, stringify(config({ 'certificate-authority-data': base64('CA') }, { token: 'open' })));
    const code = `
      import { connectKube } from '${new URL('../../kubernetes/kube.ts', import.meta.url).href}';
      connectKube('${file}').close();`;
    const refuse = `
      import { registerHooks } from 'node:module';
      registerHooks({ resolve(specifier, context, next) {
        if (specifier.includes('client-node')) throw new Error('loaded ' + specifier);
        return next(specifier, context);
      } });`;
    const hooks = `data:text/javascript,${encodeURIComponent(refuse)}`;
    execFileSync(process.execPath, ['--import', hooks, '--input-type=module', '-e', code], { stdio: 'pipe' });
  });

  it('C2: of several files the first that has a name wins, and paths are those of the file that has them', async () => {
    await writeFile(file, stringify({ users: [{ name: 'u', user: { token: 'first' } }] }));
    const second = join(dir, 'second');
    await writeFile(second, stringify(config({ 'certificate-authority': 'ca.crt' }, { token: 'second' })));
    const access = loadKubeconfig(undefined, { KUBECONFIG: [file, second].join(delimiter) }).access();
    const { ca, headers } = await access.options();
    deepEqual([String(ca), headers], ['CA from a file', { authorization: 'Bearer first' }]);
  });

  it('C3: a certificate that is replaced is read anew', async () => {
    await writeFile(file, stringify(config({ 'certificate-authority': 'ca.crt' }, {})));
    const access = loadKubeconfig(file).access();
    await access.options();
    await writeFile(join(dir, 'ca.crt'), 'a new CA');
    equal(String((await access.options()).ca), 'a new CA');
  });

  it('another context than the current one can be asked for, and one that is not there is known', async () => {
    await writeFile(file, stringify(config({}, {})));
    const kubeconfig = loadKubeconfig(file);
    deepEqual([kubeconfig.hasContext('there'), kubeconfig.hasContext('nowhere')], [true, false]);
    const access = kubeconfig.access('there');
    deepEqual(
      [access.server, (await access.options()).headers],
      ['https://other:6443', { authorization: 'Bearer sesame' }],
    );
  });

  for (const [name, content] of [
    ['no current context', config({}, {}, { 'current-context': undefined })],
    ['a context that is not there', config({}, {}, { 'current-context': 'gone' })],
    ['a cluster that is not there', config({}, {}, { clusters: [] })],
    ['a user that is not there', config({}, { token: 'open' }, { users: null })],
    ['a list of clusters that is none', config({}, { token: 'open' }, { clusters: 'c' })],
  ] as const) {
    it(`C4: is refused in a sentence without its content: ${name}`, async () => {
      await writeFile(file, stringify(content));
      throws(
        () => loadKubeconfig(file).access(),
        ({ message }: Error) => message.startsWith('MR_KUBECONFIG_UNREADABLE: ') && !message.includes('open'),
      );
    });
  }
});

function meaningOf({ ca, cert, key, rejectUnauthorized = true, headers, servername, auth }: RequestOptions) {
  const texts = [ca, cert, key].map((each) => (Buffer.isBuffer(each) ? each.toString() : each));
  const bearer = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  return { texts, rejectUnauthorized, bearer, servername, auth };
}
