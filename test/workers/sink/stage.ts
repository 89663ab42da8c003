import type { SinkStage } from '../../../model/plan.ts';

/** A sink's stage that does nothing to records. */
export const sinkStage: SinkStage = {
  name: 'sink-out',
  workload: 'sink-out',
  kind: 'sink',
  connector: 'postgres',
  config: null,
  slots: 1,
  replicas: 1,
  resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
  sink: 'out',
  reads: 'main',
  sources: { orders: { topic: null, schema: null } },
  steps: [],
  ownsStepFailures: true,
  route: { unless: [], when: null },
  batch: { maxRecords: 1, maxBytes: 1, maxDelayMs: 1 },
};
