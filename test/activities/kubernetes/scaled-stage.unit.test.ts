import assert from 'node:assert/strict';
import { annotations, apiVersion, kind, labels } from '../../../model/names.ts';
import { OddServer } from '../odd-server.ts';
import { runActivity } from '../run-activity.ts';

const pipeline = { namespace: 'shop', name: 'orders', uid: 'u-1', cluster: 'c-1' };

describe('a stage that is scaled', () => {
  let server: OddServer;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  const rows: readonly [what: string, stage: string, replicas: number, stages: readonly object[]][] = [
    [
      'sinks of a paused pipeline that run again to drain have pods in the status',
      'sink-warehouse',
      1,
      [
        { name: 'ingestor-orders', replicas: 0 },
        { name: 'sink-warehouse', replicas: 1 },
      ],
    ],
    ['a stage that the status does not have is not added', 'sink-other', 0, []],
  ];
  for (const [what, stage, replicas, shown] of rows)
    it(what, async () => {
      const { namespace, name, uid, cluster } = pipeline;
      const owned = { [labels.pipelineUid]: uid, [labels.stage]: stage };
      server.changes.length = 0;
      server.put('Namespace', { name: 'kube-system', uid: cluster });
      const before = shown.map((each) => ({ ...each, replicas: 0, ready: 0 }));
      server.put(kind, { namespace, name, uid, generation: 1 }, { apiVersion, spec: {}, status: { stages: before } });
      server.put(
        'Deployment',
        { namespace, name: stage, uid: `d-${stage}`, labels: owned, annotations: { [annotations.cluster]: cluster } },
        { spec: { replicas: 1 - replicas, selector: { matchLabels: {} }, template: { metadata: {}, spec: {} } } },
      );
      assert.equal(await runActivity(server.kube, pipeline, 'scaleStage', 'stop', { stage, replicas }), undefined);
      const written = server.changes.map(({ body }) => body).filter((body) => body.includes('"stages":'));
      assert.ok(
        written.every((body) => body.includes(`"stages":${JSON.stringify(shown)}`)),
        written.join('\n'),
      );
      assert.ok(written.length > 0);
    });
});
