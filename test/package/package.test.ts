/**
 * The package as someone gets it who installs it.
 *
 * The tarball is unpacked into an empty project beside links to its declared dependencies and nothing else: what is
 * imported without being declared is not found, and no network is needed.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');
const execute = promisify(execFile);
const packed = z.tuple([z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) })]);
const ownPackage = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });

describe('the installed package', function () {
  let project: string;
  let installed: string;
  let files: readonly string[];
  let version: string;

  before(async () => {
    project = await mkdtemp(join(tmpdir(), 'millrace-package-'));
    installed = join(project, 'node_modules/millrace');
    await mkdir(installed, { recursive: true });
    const { stdout } = await execute('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', project], {
      cwd: root,
      maxBuffer: 2 ** 26,
    });
    // What the build says on its way comes first.
    const [pack] = packed.parse(JSON.parse(stdout.slice(stdout.search(/^\[$/m))));
    files = pack.files.map(({ path }) => path);
    await execute('tar', ['-xzf', join(project, pack.filename), '-C', installed, '--strip-components=1']);
    const own = ownPackage.parse(JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')));
    version = own.version;
    for (const name of Object.keys(own.dependencies)) await link(name);
    await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  });
  after(() => rm(project, { recursive: true, force: true }));

  async function link(name: string): Promise<void> {
    const at = join(project, 'node_modules', name);
    await mkdir(dirname(at), { recursive: true });
    await symlink(join(root, 'node_modules', name), at);
  }

  const node = (...args: string[]) => execute(process.execPath, args, { cwd: project });
  const millrace = (...args: string[]) => node(join(installed, 'cli/bin.js'), ...args);

  it('holds compiled code and no source or test', () => {
    const odd = files.filter(
      (path) =>
        !/^(dist\/.*\.(js|d\.ts|yaml|sh)|dist\/package\.json|cli\/bin\.js|package\.json|[A-Z]+(\.md)?)$/.test(path),
    );
    assert.deepEqual(odd, []);
    for (const path of ['dist/client/index.js', 'dist/workflow-bundle.js', 'LICENSE']) {
      assert.ok(files.includes(path), path);
    }
  });

  it('gives the client to an import', async () => {
    const { stdout } = await node('-e', "import('millrace').then((m) => console.log(Object.keys(m).join()))");
    assert.equal(stdout.trim(), 'Millrace,MillraceProblem,NotSettled,definePipeline');
  });

  it('gives the types to a strict project that has only the defaults of its target', async () => {
    await writeFile(
      join(project, 'consumer.ts'),
      `import { Millrace } from 'millrace';
       export const client: Promise<Millrace> = Millrace.connect({ api: 'http://127.0.0.1:8088' });
       // @ts-expect-error: the address of the API is a text
       export const wrong = Millrace.connect({ api: 8088 });`,
    );
    const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', target: 'es2024', types: [] };
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    await node(join(root, 'node_modules/typescript/bin/tsc'), '-p', project).catch((error: unknown) => {
      assert.fail(z.object({ stdout: z.string() }).parse(error).stdout);
    });
  });

  it('gives the command: --version and lint', async () => {
    assert.equal((await millrace('--version')).stdout.trim(), version);
    const linted = await millrace('lint', join(root, 'examples/first-pipeline.yaml'));
    assert.match(linted.stdout + linted.stderr, /0 errors/);
  });

  it('declares the dependencies of every program', async () => {
    const connectors = await readdir(join(installed, 'dist/connectors'), { withFileTypes: true });
    const programs = [
      ...['api', 'controller', 'ingestor', 'lifecycle', 'sink'].map((name) => `dist/workers/${name}/main.js`),
      ...connectors.filter((entry) => entry.isDirectory()).map(({ name }) => `dist/connectors/${name}/index.js`),
      ...['dist/cli/commands/dev.js', 'dist/cli/commands/run.js'],
    ];
    const imports = programs.map((path) => `await import(${JSON.stringify(join(installed, path))});`);
    await writeFile(join(project, 'all.mjs'), `${imports.join('\n')}\nprocess.exit(0);`);
    await node('all.mjs');
  });

  it('carries the workflows ready-made', async () => {
    const script = `import { workflowBundle } from ${JSON.stringify(join(installed, 'dist/workers/lifecycle/bundle.js'))};
      console.log(await workflowBundle({}));`;
    const { stdout } = await node('--input-type=module', '-e', script);
    assert.equal(stdout.trim(), join(installed, 'dist/workflow-bundle.js'));
  });

  it('says how to get the ClickHouse engine, which only the local stack needs', async () => {
    // A directory above the project may hold the engine: it is hidden.
    const script = `import { registerHooks } from 'node:module';
      registerHooks({ resolve: (name, context, next) => next(name === 'chdb' ? 'not-installed' : name, context) });
      const { requireEngine } = await import(${JSON.stringify(join(installed, 'dist/local/clickhouse/installed.js'))});
      try { requireEngine(); } catch (error) { console.log(error.sentence); }`;
    const { stdout } = await node('--input-type=module', '-e', script);
    assert.match(stdout, /npm install chdb@3/);
  });
});
