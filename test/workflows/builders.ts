/** Small parts for tests of the lifecycle: each names only what matters. */
import type { PipelineRef, SpecSummary } from '../../model/lifecycle.ts';

export const pipeline: PipelineRef = { namespace: 'shop', name: 'orders', uid: '7b1c2d3e-0000-4000-8000-000000000001' };

export function spec(some: Partial<SpecSummary> = {}): SpecSummary {
  return {
    generation: 1,
    deleting: false,
    desiredState: 'Running',
    deletionPolicy: 'Drain',
    isolation: 'Namespace',
    workloadNamespace: 'pipeline-orders-abc123',
    pid: 'orders-abc123',
    kinds: ['clickhouse', 'kafka'],
    description: 'kafka → clickhouse',
    stages: [
      { name: 'ingestor-orders', kind: 'ingestor', replicas: 1 },
      { name: 'sink-warehouse', kind: 'sink', replicas: 1 },
    ],
    opSeq: 0,
    ...some,
  };
}
