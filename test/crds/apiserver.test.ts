import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deepEqual, equal, match } from 'node:assert/strict';
import { pipelineCrdYaml } from '../../crds/crd.ts';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { resolveBinary } from '../../local/binaries/resolve.ts';
import { startKubernetes, type Kubernetes } from '../../local/parts/kubernetes.ts';
import { eventually } from '../support/eventually.ts';
import { pipelineInput, smallSpec } from './support/pipelines.ts';

const run = promisify(execFile);

describe('the CRD on a real API server', function () {
  let dir: string;
  let kubernetes: Kubernetes;
  let kubectlPath: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-crd-'));
    kubernetes = await startKubernetes({ dir, unsafeNoFsync: true, controllers: false });
    kubectlPath = await resolveBinary('kubectl');
    await kubectl(['apply', '-f', '-'], pipelineCrdYaml());
    // kubectl gives up when the resource has no conditions yet.
    await eventually(() => kubectl(['wait', '--for=condition=Established', 'crd/pipelines.millrace.io']));
    await kubectl(['create', 'namespace', 'shop']);
  });

  after(async () => {
    await kubernetes.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('has no violation of structural schema and no warning', async () => {
    const { stdout } = await kubectl(['get', 'crd', 'pipelines.millrace.io', '-o', 'json']);
    const { status } = JSON.parse(stdout) as { status: { conditions: { type: string; status: string }[] } };
    equal(
      status.conditions.find(({ type }) => type === 'NonStructuralSchema'),
      undefined,
    );
    equal(status.conditions.find(({ type }) => type === 'Established')?.status, 'True');
  });

  it('fills in the same defaults as the schema', async () => {
    await apply(pipelineInput({}, 'defaults'));
    const { stdout } = await kubectl(['get', 'mrp', 'defaults', '-n', 'shop', '-o', 'json']);
    const { pipelineSchema } = await import('../../crds/pipeline.ts');
    const stored = JSON.parse(stdout) as { spec: unknown };
    deepEqual(stored.spec, JSON.parse(JSON.stringify(pipelineSchema.parse(pipelineInput({}, 'defaults')).spec)));
  });

  it('explains nested fields', async () => {
    await eventually(async () => {
      const { stdout } = await kubectl(['explain', 'pipeline.spec.sources.kafka']);
      match(stdout, /Reads a topic of Apache Kafka/);
      match(stdout, /The topic to read\./);
    });
  });

  it('lists pipelines by short name and by category', async () => {
    await apply(pipelineInput({}, 'listed'));
    match((await kubectl(['get', 'mrp', '-n', 'shop'])).stdout, /NAME +READY +STATE +DEADLETTERS +AGE/);
    match((await kubectl(['get', 'millrace', '-n', 'shop', '-o', 'wide'])).stdout, /listed .* orders +warehouse/);
  });

  it('keeps two conditions of different type from two writers apart, and refuses the same type twice', async () => {
    await apply(pipelineInput({}, 'conditions'));
    const condition = (type: string) => ({
      type,
      status: 'True',
      reason: 'Because',
      message: 'm',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    await applyStatus('conditions', 'millrace-status', [condition('Accepted')]);
    await applyStatus('conditions', 'millrace-controller', [condition('Ready')]);
    const { stdout } = await kubectl([
      'get',
      'mrp',
      'conditions',
      '-n',
      'shop',
      '-o',
      'jsonpath={.status.conditions[*].type}',
    ]);
    deepEqual(stdout.split(' ').sort(), ['Accepted', 'Ready']);
  });

  const [source] = smallSpec.sources;
  const [sink] = smallSpec.sinks;
  const refusals: readonly [string, PipelineInput, RegExp][] = [
    [
      'two connectors in a source',
      pipelineInput({ sources: [{ ...source!, http: {} }] }),
      /exactly one of kafka, http, generator must be given in "orders"/,
    ],
    [
      'no connector in a sink',
      pipelineInput({ sinks: [{ name: 'none' }] }),
      /exactly one of clickhouse, postgres must be given in "none"/,
    ],
    [
      'a step of no kind',
      pipelineInput({ steps: [{ name: 'none' }] }),
      /exactly one of filter, map must be given in "none"/,
    ],
    [
      'two sources of one name',
      pipelineInput({ sources: [source!, source!] }),
      /duplicate entries for key \[name="orders"\]/,
    ],
    [
      'more replicas than slots',
      pipelineInput({ sources: [{ ...source!, slots: 2, replicas: 3 }] }),
      /sources\[0\]\.replicas: .*replicas must be at most slots/,
    ],
    [
      'more sink replicas than shards',
      pipelineInput({ sinks: [{ ...sink!, replicas: 3 }] }),
      /spec\.sinks: .*must be at most buffer\.shards/,
    ],
    [
      'otherwise with when',
      pipelineInput({ sinks: [{ ...sink!, otherwise: true, when: 'true' }] }),
      /must not stand together with `when`/,
    ],
    [
      'otherwise before the last sink',
      pipelineInput({
        sinks: [
          { ...sink!, otherwise: true },
          { ...sink!, name: 'b' },
        ],
      }),
      /must be on the last sink only/,
    ],
    ['a name of more than 40 characters', pipelineInput({}, 'a'.repeat(41)), /at most 40 characters/],
    ['a name with a dot', pipelineInput({}, 'a.b'), /lower-case letters, digits/],
    ['no source', pipelineInput({ sources: [] }), /at least 1 items/],
  ];
  for (const [what, input, message] of refusals) {
    it(`refuses ${what}`, async () => match(await refusal(input), message));
  }

  it('refuses an unknown field', async () => {
    const input = { ...pipelineInput({}, 'typo'), spec: { ...smallSpec, sorces: [] } };
    match(await refusalOf(JSON.stringify(input)), /\.spec\.sorces: field not declared in schema/);
  });

  const changes: readonly [string, Partial<PipelineInput['spec']>, RegExp][] = [
    ['slots', { sources: [{ ...source!, slots: 8 }] }, /slots must not change/],
    ['shards', { buffer: { shards: 4 } }, /buffer\.shards must not change/],
    ['isolation', { isolation: 'Shared' }, /isolation must not change/],
    [
      "a source's connector",
      { sources: [{ name: 'orders', http: {} }] },
      /connector of source "orders" must not change/,
    ],
  ];
  for (const [what, spec, message] of changes) {
    it(`refuses a change of ${what}`, async () => {
      await apply(pipelineInput({}, 'changed'));
      match(await refusal(pipelineInput(spec, 'changed')), message);
    });
  }

  it('lets a source be added and another removed', async () => {
    await apply(pipelineInput({}, 'replaced'));
    await apply(pipelineInput({ sources: [{ name: 'web', http: {} }] }, 'replaced'));
  });

  it('takes the example of the design', async () => {
    const { parse } = await import('yaml');
    const example: unknown = parse(await readFile(new URL('support/example.yaml', import.meta.url), 'utf8'));
    await kubectl(['apply', '-f', '-'], JSON.stringify(example));
  });

  async function apply(input: PipelineInput): Promise<void> {
    await kubectl(
      ['apply', '--server-side', '--force-conflicts', '--validate=strict', '-f', '-'],
      JSON.stringify(input),
    );
  }

  async function applyStatus(name: string, manager: string, conditions: readonly object[]): Promise<void> {
    const patch = {
      apiVersion: 'millrace.io/v1alpha1',
      kind: 'Pipeline',
      metadata: { name, namespace: 'shop' },
      status: { conditions },
    };
    await kubectl(
      ['apply', '--server-side', '--subresource=status', `--field-manager=${manager}`, '-f', '-'],
      JSON.stringify(patch),
    );
  }

  async function refusal(input: PipelineInput): Promise<string> {
    return refusalOf(JSON.stringify(input));
  }

  /** What the API server says against an object that it must not take. */
  async function refusalOf(text: string): Promise<string> {
    try {
      await kubectl(['apply', '--server-side', '--force-conflicts', '--validate=strict', '-f', '-'], text);
    } catch (error) {
      return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    }
    throw new Error('the API server took it');
  }

  async function kubectl(args: readonly string[], stdin?: string): Promise<{ stdout: string; stderr: string }> {
    const started = run(kubectlPath, [...args], {
      env: { ...process.env, KUBECONFIG: kubernetes.kubeconfigPath, HOME: dir },
    });
    started.child.stdin?.end(stdin ?? '');
    return started;
  }
});
