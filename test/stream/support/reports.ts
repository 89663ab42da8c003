/** A report of a sink pod in which all is well. */
import type { PodReport } from '../../../stream/pod-report.ts';

export function podReport(over: Partial<PodReport> = {}): PodReport {
  return {
    pid: 'orders-abc123',
    stage: 'sink-warehouse',
    kind: 'sink',
    pod: 'sink-warehouse-0',
    generation: 1,
    at: 0,
    connection: { state: 'Connected', since: 0 },
    flow: { state: 'Flowing' },
    recordsIn: 1,
    recordsOut: 1,
    deadLetters: 0,
    slots: [],
    ...over,
  };
}
