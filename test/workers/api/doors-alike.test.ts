import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { pino } from 'pino';
import { resourceActivities } from '../../../activities/resource.ts';
import { withDefaults } from '../../../crds/defaults.ts';
import { pipelineDoor } from '../../../kubernetes/pipelines.ts';
import { apiVersion, fieldManagers, kind } from '../../../model/names.ts';
import { MillraceProblem } from '../../../client/index.ts';
import { problemSchema, storedPipeline } from '../../../client/wire.ts';
import type { Api } from '../../../workers/api/api.ts';
import { apiOn } from './api.ts';
import { spec, useCluster } from './cluster.ts';
import { noAccess } from '../../activities/no-access.ts';

interface Written {
  readonly namespace: string;
  readonly name: string;
  readonly spec: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Writes a pipeline; rejects with something that says the code of the refusal. */
type Door = (pipeline: Written) => Promise<unknown>;

describe('M9: every door of Millrace writes a pipeline alike', () => {
  const cluster = useCluster();
  let api: Api;
  let namespace: string;

  before(async () => {
    api = await apiOn(cluster().kube);
  });
  beforeEach(async () => {
    namespace = await cluster().namespace();
  });
  after(() => api.close());

  const doors: Readonly<Record<'REST' | 'Temporal', Door>> = {
    async REST({ namespace: where, name, ...rest }) {
      const { annotations, spec: wanted } = rest;
      const answer = await api.inject({
        method: 'PUT',
        url: `/v1/namespaces/${where}/pipelines/${name}`,
        payload: { metadata: { annotations }, spec: wanted },
      });
      if (answer.statusCode >= 400) throw new MillraceProblem(problemSchema.parse(answer.json()));
    },
    Temporal: (pipeline) =>
      resourceActivities({
        ...{
          kube: cluster().kube,
          cluster: 'c',
          image: '',
          natsUrl: '',
          podAccess: noAccess,
          streamReplicas: 1,
          pollMs: 1,
        },
        streams: () => assert.fail('a door needs no stream'),
        clock: { now: () => 0, sleep: () => Promise.resolve() },
        log: pino({ level: 'silent' }),
      }).writePipeline(pipeline),
  };

  const stored = async () => storedPipeline.parse(await cluster().kube.get(kind, 'orders', namespace));
  const codeOf = (error: unknown) =>
    error instanceof MillraceProblem ? error.code : error instanceof ApplicationFailure ? error.type : String(error);

  for (const [name, write] of Object.entries(doors)) {
    describe(name, () => {
      it('keeps annotations', async () => {
        await write({ namespace, name: 'orders', spec, annotations: { 'shop/owner': 'ann' } });
        assert.equal((await stored()).metadata.annotations?.['shop/owner'], 'ann');
      });

      it('never takes a field that another tool owns, and ends with a conflict', async () => {
        await cluster().kube.apply(
          { apiVersion, kind, metadata: { name: 'orders', namespace }, spec: { ...spec, buffer: { maxBytes: '3Gi' } } },
          { fieldManager: 'argocd-controller' },
        );
        const wanted = { namespace, name: 'orders', spec: { ...spec, buffer: { maxBytes: '1Gi' } } };
        await assert.rejects(write(wanted), (error) => {
          assert.equal(codeOf(error), 'MR_PIPELINE_CONFLICT');
          assert.ok(!(error instanceof ApplicationFailure) || error.nonRetryable);
          return true;
        });
        assert.equal((await stored()).spec.buffer.maxBytes, '3Gi');
      });

      it('takes a field from another door of Millrace: the last one wins', async () => {
        const cli = pipelineDoor(cluster().kube, fieldManagers.cli, withDefaults);
        const metadata = { name: 'orders', namespace };
        await cli.apply({ apiVersion, kind, metadata, spec: { ...spec, buffer: { maxBytes: '3Gi' } } });
        await write({ namespace, name: 'orders', spec: { ...spec, buffer: { maxBytes: '1Gi' } } });
        assert.equal((await stored()).spec.buffer.maxBytes, '1Gi');
      });

      it('lints first, repeats no secret, and stores nothing that is refused', async () => {
        const sources = [{ name: 'orders', http: { auth: { token: ['hunter2'] } } }];
        await assert.rejects(write({ namespace, name: 'orders', spec: { ...spec, sources } }), (error) => {
          assert.match(codeOf(error) ?? '', /^MR_SPEC_/);
          assert.match(String(error), /spec\.sources\[0\]\.http\.auth\.token: must be text, but is a list/);
          assert.doesNotMatch(String(error), /hunter2/);
          return true;
        });
        assert.equal(await cluster().kube.get(kind, 'orders', namespace), undefined);
      });
    });
  }
});
