import { deepEqual, equal, match } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { millrace } from './millrace.ts';

const good = `apiVersion: millrace.io/v1alpha1
kind: Pipeline
metadata: {name: orders}
spec:
  sources: [{name: orders, generator: {}}]
  sinks: [{name: warehouse, clickhouse: {url: "http://ch:8123", table: orders}}]
`;
const bad = good.replace('generator: {}', 'genrator: {}');

describe('millrace lint', function () {
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-lint-'));
    await mkdir(join(dir, 'folder', 'deep'), { recursive: true });
    await writeFile(join(dir, 'good.yaml'), good);
    await writeFile(join(dir, 'bad.yaml'), bad);
    await writeFile(join(dir, 'folder', 'deep', 'bad.yml'), bad);
    await writeFile(join(dir, 'folder', 'other.yaml'), 'apiVersion: v1\nkind: Secret\n');
  });

  after(() => rm(dir, { recursive: true, force: true }));

  it('ends with 0 and says how much it looked at when nothing is wrong', async () => {
    deepEqual(await millrace(['lint', join(dir, 'good.yaml')]), {
      code: 0,
      stdout: '',
      stderr: '0 errors, 0 warnings in 1 file\n',
    });
  });

  it('B1: refuses a file and an input that are no UTF-8, with the place, and takes one with a byte order mark', async () => {
    const file = join(dir, 'marked.yaml');
    await writeFile(file, `\ufeff${good}`);
    equal((await millrace(['lint', file])).code, 0);
    await writeFile(file, Buffer.from(good.replace('warehouse', 'wärehouse'), 'latin1'));
    for (const command of ['lint', 'apply']) {
      const { code, stderr } = await millrace([command, file]);
      equal(code, 4);
      match(stderr, /marked\.yaml:6:19: is not UTF-8/);
    }
    await writeFile(file, Buffer.from(`\ufeff${good}`, 'utf16le'));
    match((await millrace(['lint', file])).stderr, /marked\.yaml:1:1: is not UTF-8 but probably UTF-16/);
    const { code, stderr } = await millrace(['lint', '-'], { input: Buffer.from('a: \xff', 'latin1') });
    equal(code, 4);
    match(stderr, /<stdin>:1:4: is not UTF-8/);
  });

  it('ends with 4 and shows place, code, suggestion and the lines around', async () => {
    const file = join(dir, 'bad.yaml');
    const { code, stdout, stderr } = await millrace(['lint', file]);
    equal(code, 4);
    equal(
      stdout,
      `${file}:5:28 error MR_SPEC_UNKNOWN_FIELD spec.sources[0]: unknown field "genrator". Did you mean "generator"?
  3 | metadata: {name: orders}
  4 | spec:
  5 |   sources: [{name: orders, genrator: {}}]
    |                            ^^^^^^^^

`,
    );
    match(stderr, /1 error, 0 warnings in 1 file/);
  });

  it('reads standard input', async () => {
    const { code, stdout } = await millrace(['lint', '-'], { input: bad });
    equal(code, 4);
    match(stdout, /^<stdin>:5:28 error/);
  });

  it('takes a folder and passes over files that hold no pipeline', async () => {
    const { code, stdout, stderr } = await millrace(['lint', join(dir, 'folder')]);
    equal(code, 4);
    match(stdout, /deep\/bad\.yml:5:28/);
    match(stderr, /in 1 file/);
  });

  it('writes JSON for programs', async () => {
    const { stdout } = await millrace(['lint', '-o', 'json', join(dir, 'good.yaml'), join(dir, 'bad.yaml')]);
    const files = JSON.parse(stdout) as { file: string; issues: { code: string; path: string; line: number }[] }[];
    deepEqual(
      files.map(({ issues }) => issues.map(({ code, path, line }) => [code, path, line])),
      [[], [['MR_SPEC_UNKNOWN_FIELD', '/spec/sources/0/genrator', 5]]],
    );
  });

  it('writes annotations for GitHub', async () => {
    const { stdout } = await millrace(['lint', '-o', 'github', join(dir, 'bad.yaml')]);
    match(
      stdout,
      /^::error file=.*bad\.yaml,line=5,col=28,endColumn=36,title=MR_SPEC_UNKNOWN_FIELD::spec\.sources\[0\]: unknown field/,
    );
  });

  it('fails for warnings only when asked to', async () => {
    const warned = good.replace('table: orders', 'table: orders, password: hunter2');
    equal((await millrace(['lint', '-'], { input: warned })).code, 0);
    const denied = await millrace(['lint', '--deny-warnings', '-'], { input: warned });
    equal(denied.code, 4);
    match(denied.stdout, /<stdin>:6:\d+ warning/);
  });

  it('ends with 2 when a file is not there', async () => {
    const { code, stderr } = await millrace(['lint', join(dir, 'absent.yaml')]);
    equal(code, 2);
    match(stderr, /absent\.yaml cannot be read/);
  });

  it('does not load the library of Kubernetes, which takes half a second', async () => {
    const hook = `data:text/javascript,${encodeURIComponent(
      `import { registerHooks } from 'node:module';
       registerHooks({ resolve(name, context, next) {
         if (/@kubernetes|@temporalio|@nats-io|fastify/.test(name)) throw new Error('loaded ' + name);
         return next(name, context);
       } });`,
    )}`;
    const options = `--import ${hook}`;
    deepEqual((await millrace(['lint', join(dir, 'good.yaml')], { env: { NODE_OPTIONS: options } })).code, 0);
    // Nor does a command that asks the cluster, unless its kubeconfig has what the client alone knows.
    for (const [user, isLoaded] of [
      ['token: sesame', false],
      ['exec: {apiVersion: client.authentication.k8s.io/v1, command: "true", interactiveMode: Never}', true],
    ] as const) {
      const kubeconfig = join(dir, 'kubeconfig');
      await writeFile(
        kubeconfig,
        `{current-context: c, contexts: [{name: c, context: {cluster: c, user: c}}],
          clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: c, user: {${user}}}]}`,
      );
      const { code, stderr } = await millrace(['get', '--kubeconfig', kubeconfig], { env: { NODE_OPTIONS: options } });
      deepEqual([code, stderr.includes('loaded')], [1, isLoaded], stderr);
    }
  });
});
