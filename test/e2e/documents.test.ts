import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensurePki } from '../../local/parts/kubernetes/pki.ts';
import { applyExample } from '../../scripts/example.ts';
import { blocksOf, headerCommands, root, type Block } from '../docs/blocks.ts';
import { eventually } from '../support/eventually.ts';
import { getPipeline, untilGone } from './support/resource.ts';
import { useStack } from './support/stack.ts';

/** What is typed while the stack runs; `npm start` and `npm test` have tests of their own. */
const isSession = ({ language, text }: Block) => language === 'sh' && /^(millrace|kubectl) /m.test(text);

/** A reader's directory: the examples, and this stack's data directory as `.millrace`. Its ports are not the usual ones. */
describe('a reader who types what the documents say, on the local stack', function () {
  const stack = useStack();
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-reader-'));
    await symlink(dirname(stack().kubeconfig), join(directory, '.millrace'));
    await cp(join(root, 'examples'), join(directory, 'examples'), { recursive: true });
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('README: what `npm start` has applied is unchanged for kubectl and for millrace, without a warning', async () => {
    const pki = await ensurePki(join(dirname(stack().kubeconfig), 'kubernetes', 'pki'), new Date());
    const url = new URL(/server: (\S+)/.exec(await readFile(stack().kubeconfig, 'utf8'))?.[1] ?? '');
    await applyExample({ url: url.origin, ca: pki.ca, user: pki.admin }, { name: 'orders', table: 'orders' });
    const file = 'examples/first-pipeline.yaml';
    for (const command of [`kubectl apply -f ${file}`, `millrace apply ${file}`, `kubectl apply -f ${file}`]) {
      const { stderr } = await type(`. .millrace/env\n${command}`);
      assert.equal(stderr, '', command);
    }
    assert.equal((await getPipeline(stack().kubectl, 'orders'))?.metadata.generation, 1);
  });

  for (const { text, line } of blocksOf('README.md').filter(isSession)) {
    it(`README.md:${line} works from the first line to the last, without a warning`, async () => {
      const { stderr } = await type(`. .millrace/env\n${text}`);
      assert.doesNotMatch(stderr, /warning|MR_/i);
    });
  }

  it('first-pipeline.yaml: the commands in its header', async () => {
    await type(`. .millrace/env\n${headerCommands('examples/first-pipeline.yaml')}`);
  });

  it('rest/pipeline.sh takes that pipeline through its life by REST, to its deletion', async () => {
    await type('. .millrace/env\nsh examples/rest/pipeline.sh');
    await untilGone(stack().kubectl, 'orders');
  });

  it('http-to-postgres.yaml: the commands in its header, and the event is in the table', async () => {
    const { stdout } = await type(`. .millrace/env\n${headerCommands('examples/http-to-postgres.yaml')}`);
    assert.match(stdout, /condition met/);
    await stack().kubectl.run(['delete', 'pipeline', 'events', '--wait=false']);
    await untilGone(stack().kubectl, 'events');
  });

  it('local-kafka.yaml: the commands in its header make a topic, and its records are in the table', async () => {
    const commands = headerCommands('examples/local-kafka.yaml').replaceAll('npm run', `npm --prefix ${root} run`);
    const { stdout } = await type(`. .millrace/env\n${commands}`);
    assert.match(stdout, /1 record is in the new topic greetings\n[^]*condition met/);
    await eventually(async () => {
      const query = 'SELECT+count()+FROM+greetings';
      return (await type(`. .millrace/env\ncurl "$CLICKHOUSE_URL/?query=${query}"`)).stdout.trim() === '2';
    });
    await stack().kubectl.run(['delete', 'pipeline', 'greetings', '--wait=false']);
    await untilGone(stack().kubectl, 'greetings');
  });

  it('kafka-to-clickhouse.yaml: the commands in its header; its conditions say what does not answer', async () => {
    await writeFile(join(directory, 'ca.pem'), 'not a certificate');
    await type(`. .millrace/env\n${headerCommands('examples/kafka-to-clickhouse.yaml')}`);
    await eventually(async () => {
      const found = await getPipeline(stack().kubectl, 'kafka-orders', 'shop');
      const conditions = found?.status?.conditions ?? [];
      assert.ok(conditions.some(({ type, status }) => type === 'SourceConnected' && status === 'False'));
    });
    await type('. .millrace/env\nmillrace delete kafka-orders -n shop --force --wait');
  });

  it('the programs in examples/ run with the Node that `npm run example` gives them', async () => {
    const example = (file: string) =>
      `. .millrace/env\ndir=$PWD; cd ${root}; KUBECONFIG=$dir/.millrace/kubeconfig npm run --silent example ${file}`;
    await type(example('examples/client/main.ts'));
    const applied = await type(
      example(`examples/apply-by-temporal/apply.ts ${directory}/examples/first-pipeline.yaml`),
    );
    assert.match(applied.stdout, /"phase": "Running"/);
    await stack().kubectl.run(['delete', 'pipeline', 'orders', '--wait=false']);
    await untilGone(stack().kubectl, 'orders');
  });

  it('docs: blocks that ask the API are answered', async () => {
    const asking = ['docs/operations.md', 'docs/client.md']
      .flatMap(blocksOf)
      .flatMap(({ text }) => text.split('\n'))
      .filter((line) => line.startsWith('curl '));
    assert.ok(asking.length >= 2);
    for (const line of asking) await type(`. .millrace/env\n${line.replace('curl ', 'curl --fail-with-body ')}`);
  });

  /** In a shell of its own, which ends with the first command that fails. */
  async function type(script: string): Promise<{ stdout: string; stderr: string }> {
    return await new Promise((resolve, reject) => {
      execFile('sh', ['-euc', script.replaceAll('curl ', 'curl -sS ')], { cwd: directory }, (error, stdout, stderr) => {
        if (error) reject(new Error(`${script}\n${stdout}\n${stderr}`, { cause: error }));
        else resolve({ stdout, stderr });
      });
    });
  }
});
