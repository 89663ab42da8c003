import assert from 'node:assert/strict';
import { commands } from '../../cli/commands.ts';
import { codeOfStatus, failureOf } from '../../cli/exit.ts';
import { mr } from '../../model/errors.ts';
import { millrace } from './millrace.ts';

/** A module that refuses the Kubernetes client, which takes half a second to load. */
const refuse = encodeURIComponent(`import { registerHooks } from 'node:module';
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.includes('client-node')) throw new Error('loaded ' + specifier);
    return next(specifier, context);
  },
});`);

describe('the millrace command', () => {
  it('lists every command with what it does', async () => {
    const { code, stdout } = await millrace(['--help']);
    assert.equal(code, 0);
    for (const { name, summary } of commands) assert.match(stdout, new RegExp(`${name} +${summary.slice(0, 20)}`));
  });

  it('says which version it is', async () => {
    const { code, stdout } = await millrace(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  for (const args of [
    ['appli'],
    ['get', '--colour'],
    ['apply'],
    ['pause', 'orders', '--timeout', 'soon'],
    ['worker', 'x'],
  ]) {
    it(`ends with 2 and help on stderr when it is used wrongly: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await millrace(args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^error: .*\n\(see --help\)\n$/s);
    });
  }

  for (const { name } of commands) {
    it(`${name} explains itself`, async () => {
      const { code, stdout } = await millrace([name, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: millrace ${name}`));
    });
  }

  it('says what is missing where no kubeconfig names a cluster', async () => {
    const { code, stderr } = await millrace(['get'], { env: { KUBECONFIG: '', HOME: '/nonexistent' } });
    assert.equal(code, 1);
    assert.match(stderr, /MR_KUBECONFIG_MISSING.*Set KUBECONFIG/s);
  });

  for (const [file, problem] of [
    ['/nope', 'there is no such file'],
    ['/', 'it cannot be read \\(EISDIR\\)'],
    [import.meta.filename, 'it is not a kubeconfig'],
  ] as const) {
    it(`says what is wrong with a kubeconfig, in a sentence: ${problem}`, async () => {
      for (const run of [
        { args: ['get'], env: { KUBECONFIG: file } },
        { args: ['get', '--kubeconfig', file], env: {} },
      ]) {
        const { code, stderr } = await millrace(run.args, { env: run.env });
        assert.equal(code, 1);
        assert.match(
          stderr,
          new RegExp(`^MR_KUBECONFIG_UNREADABLE: The kubeconfig ${file} cannot be used: ${problem}\\.`),
        );
      }
    });
  }

  it('does not load the Kubernetes client for help or a usage error', async () => {
    for (const args of [['apply', '--help'], ['apply']]) {
      const { stderr } = await millrace(args, { env: { NODE_OPTIONS: `--import=data:text/javascript,${refuse}` } });
      assert.doesNotMatch(stderr, /client-node/);
    }
  });
});

describe('exit codes', () => {
  const cases: [number, Error][] = [
    [4, mr('MR_SPEC_INVALID', { path: 'spec', problem: 'no' })],
    [4, mr('MR_KUBERNETES_REFUSED', { object: 'x', problem: 'no' })],
    [6, mr('MR_PIPELINE_NOT_FOUND', { name: 'a', namespace: 'b' })],
    [7, mr('MR_PIPELINE_CONFLICT', { name: 'a', namespace: 'b', problem: 'owned' })],
    [8, mr('MR_WAIT_TIMEOUT', { name: 'a', wanted: 'Running', timeout: '1s', state: 'no' })],
    [9, mr('MR_NOT_ALLOWED', { action: 'get', problem: 'no' })],
    [1, mr('MR_KUBERNETES_UNAVAILABLE', { server: 'x', problem: 'no' })],
    [1, new Error('anything else')],
  ];
  for (const [code, error] of cases) {
    it(`${code} for ${error.message}`, () => assert.equal(failureOf(error).exitCode, code));
  }

  it('follow the status of an answer', () => {
    assert.deepEqual([401, 404, 409, 422, 500, 504].map(codeOfStatus), [9, 6, 7, 4, 1, 8]);
  });
});
