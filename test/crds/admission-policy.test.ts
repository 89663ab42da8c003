/** The policy of the chart on a real API server: it says what lint says, of the same specs. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { stringify } from 'yaml';
import { policyRules } from '../../crds/admission-policy.ts';
import { lint } from '../../crds/lint.ts';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { apiVersion, finalizer, kind } from '../../model/names.ts';
import { render } from '../deploy/support/helm.ts';
import { eventually } from '../support/eventually.ts';
import { spec as smallSpec, useCluster } from '../workers/api/cluster.ts';
import { kubectl } from '../workers/controller/webhook/rig.ts';

type Spec = PipelineInput['spec'];
const [sink] = smallSpec.sinks;
const batch = (change: NonNullable<Spec['sinks'][number]['batch']>): Spec => ({
  ...smallSpec,
  sinks: [{ ...sink!, batch: change }],
});
const resources = (change: Spec['resources']): Spec => ({ ...smallSpec, resources: change });

/** What just fits, and what just does not. */
const rows: readonly [what: string, fits: Spec, fitsNot: Spec][] = [
  ['frame.maxBytes', { ...smallSpec, frame: { maxBytes: '4Mi' } }, { ...smallSpec, frame: { maxBytes: '4194305' } }],
  ['frame.linger', { ...smallSpec, frame: { linger: '60s' } }, { ...smallSpec, frame: { linger: '60001ms' } }],
  [
    'buffer.maxBytes',
    { ...smallSpec, frame: { maxBytes: '1Mi' }, buffer: { maxBytes: '2048Ki' } },
    { ...smallSpec, frame: { maxBytes: '1Mi' }, buffer: { maxBytes: '2047Ki' } },
  ],
  [
    'resources.requests.memory',
    resources({ requests: { memory: '1Gi' }, limits: { memory: '1024Mi' } }),
    resources({ requests: { memory: '1Gi' }, limits: { memory: '1023Mi' } }),
  ],
  [
    'resources.requests.cpu',
    resources({ requests: { cpu: '1' }, limits: { cpu: '1000m' } }),
    resources({ requests: { cpu: '1' }, limits: { cpu: '999m' } }),
  ],
  ['batch.maxBytes', batch({ maxBytes: '256Mi' }), batch({ maxBytes: '257Mi' })],
  ['batch.maxDelay', batch({ maxDelay: '10m' }), batch({ maxDelay: '1h' })],
  [
    'tombstones',
    { ...smallSpec, sinks: [{ ...sink!, tombstones: 'Drop' }] },
    { ...smallSpec, sinks: [{ ...sink!, tombstones: 'Delete' }] },
  ],
];

describe('the admission policy on a real API server', () => {
  const cluster = useCluster();
  let namespace: string;
  const textOf = (name: string, spec: Spec) =>
    JSON.stringify({ apiVersion, kind, metadata: { name, namespace }, spec });
  const apply = (name: string, spec: Spec, ...more: readonly string[]) =>
    kubectl(cluster(), ['apply', '--server-side', '--force-conflicts', ...more, '-f', '-'], textOf(name, spec));
  let objects: string;

  before(async () => {
    namespace = await cluster().namespace();
    const only = `webhook.namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=${namespace}`;
    const found = (await render(['profile=lab', only])).filter(({ kind: of }) => of.startsWith('ValidatingAdmission'));
    objects = found.map((object) => stringify(object)).join('---\n');
    for (const [what, , fitsNot] of rows) await apply(`old-${what.toLowerCase().replaceAll('.', '-')}`, fitsNot);
    await kubectl(cluster(), ['apply', '-f', '-'], objects);
    // API servers learn of a policy a moment later.
    await eventually(() => rejects(apply('probe', rows[0]![2], '--dry-run=server')));
  });
  after(async () => {
    await kubectl(cluster(), ['delete', '-f', '-'], objects);
  });

  it('has no rule that the API server finds fault with', async () => {
    const name = 'millrace-pipelines';
    const status = await eventually(async () => {
      const asked = ['get', 'validatingadmissionpolicy', name, '-o', 'jsonpath={.spec.validations[*].message}'];
      return (await kubectl(cluster(), asked)).stdout;
    });
    equal(
      policyRules.every(({ message }) => status.includes(message)),
      true,
    );
    equal(rows.length, policyRules.length);
  });

  for (const [what, fits, fitsNot] of rows) {
    it(`takes the largest ${what} that lint takes`, async () => {
      deepEqual(errorsOf(fits), []);
      await apply('fits', fits, '--dry-run=server');
    });

    it(`refuses the ${what} that lint refuses, in the same words`, async () => {
      const [error] = errorsOf(fitsNot);
      ok(error);
      await rejects(apply('fits-not', fitsNot, '--dry-run=server'), ({ message }: Error) => {
        const sentence = wordsOf(error);
        ok(message.includes(sentence), `"${message}" does not say "${sentence}"`);
        return true;
      });
    });

    it(`lets a ${what} be that was stored before: it is paused, written to and deleted`, async () => {
      const name = `old-${what.toLowerCase().replaceAll('.', '-')}`;
      await apply(name, { ...fitsNot, desiredState: 'Paused' });
      const { kube } = cluster();
      const by = { fieldManager: 'test' };
      await kube.patchMerge(kind, name, namespace, { metadata: { finalizers: [finalizer] } }, by);
      await kube.delete(kind, name, namespace);
      await kube.patchMerge(kind, name, namespace, { metadata: { finalizers: null } }, by);
      equal(await kube.get(kind, name, namespace), undefined);
    });
  }

  function errorsOf(spec: Spec): readonly string[] {
    const issues = lint({ apiVersion, kind, metadata: { name: 'a', namespace }, spec });
    return issues.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  }

  /** Without the values, which a rule in CEL has at hand, but whose sentence is fixed. */
  function wordsOf(message: string): string {
    const words = message
      .replaceAll(/ \([^)]*\)/g, '')
      .replaceAll(/, but is [^.]*\./g, '')
      .replace(/\.$/, '');
    return words.replaceAll(/sinks\[\d+\]/g, 'sinks[*]');
  }
});
