/** One activity, as a step of an operation of the pipeline, against an API in memory. */
import assert from 'node:assert/strict';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { createActivities, type PodAccess } from '../../activities/index.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import type { LifecycleActivities, OperationKind, PipelineRef } from '../../model/lifecycle.ts';
import { noAccess } from './no-access.ts';

type Given = [
  kube: Kube,
  pipeline: PipelineRef & { readonly cluster: string },
  name: keyof LifecycleActivities,
  during: OperationKind,
  more?: object,
  streams?: () => JetStreamPort,
  attempt?: number,
  podAccess?: PodAccess,
];

/** What it gives, or the error that it throws. `pipeline.cluster` is that of the process, too. */
export function runActivity(...given: Given): Promise<unknown> {
  return attemptOf(...given).run();
}

/** One attempt at it, to be cancelled by its environment. */
export function attemptOf(
  ...[
    kube,
    pipeline,
    name,
    during,
    more = {},
    streams = () => assert.fail('not expected'),
    attempt = 2,
    podAccess = noAccess,
  ]: Given
): { readonly environment: MockActivityEnvironment; run(): Promise<unknown> } {
  let now = 0;
  const all = createActivities({
    ...{ kube, cluster: pipeline.cluster, log: pino({ level: 'silent' }), streams },
    clock: { now: () => now, sleep: async (ms) => void (now += ms * 100) },
    ...{ image: 'i', natsUrl: 'n', podAccess, streamReplicas: 1, pollMs: 500 },
  });
  const op = { pipeline, id: 'op', kind: during, seq: 1, generation: 1, startedAt: '2026-01-01T00:00:00Z' };
  const input = { op, step: 's', workloadNamespace: pipeline.namespace, isolation: 'Shared', generation: 1, ...more };
  const act = all[name] as (given: object) => Promise<unknown>;
  const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
  return { environment, run: () => environment.run(act, input).catch((error: unknown) => error) };
}
