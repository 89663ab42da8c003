/** Builds stored pipelines that name only what a test is about. */
import type { StoredPipeline } from '../../client/wire.ts';
import { apiVersion, kind } from '../../model/names.ts';
import { specSchema, type Condition, type ConditionType, type PipelineStatus } from '../../crds/pipeline.ts';

export const now = Date.parse('2026-05-01T12:00:00Z');

/** `before('90s')` is 90 seconds before {@link now}. */
export function before(seconds: number): string {
  return new Date(now - seconds * 1000).toISOString();
}

export function condition(type: ConditionType, status: Condition['status'], reason: string, message = ''): Condition {
  return { type, status, reason, message, observedGeneration: 1, lastTransitionTime: before(30) };
}

export function stored(part: { metadata?: object; spec?: object; status?: PipelineStatus } = {}): StoredPipeline {
  return {
    apiVersion,
    kind,
    metadata: {
      name: 'orders',
      namespace: 'shop',
      uid: '6f1c',
      generation: 1,
      creationTimestamp: before(3600),
      ...part.metadata,
    },
    spec: specSchema.parse({
      sources: [{ name: 'orders', generator: {} }],
      steps: [{ name: 'paid', filter: { where: 'record.id > 0' } }],
      sinks: [{ name: 'warehouse', clickhouse: { url: 'http://ch:8123', table: 'orders' } }],
      ...part.spec,
    }),
    ...(part.status ? { status: part.status } : {}),
  };
}
