/**
 * One Kubernetes API for the tests of the doors: started by the first that asks, ended after the last. It has the CRD and
 * no controllers: a test that needs a status writes it.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { connectKube, type Kube } from '../../../kubernetes/kube.ts';
import { apiVersion, fieldManagers, kind } from '../../../model/names.ts';
import type { Condition, ConditionType, PipelineStatus } from '../../../crds/pipeline.ts';
import { startKubernetes, type Kubernetes } from '../../../local/parts/kubernetes.ts';
import { eventually } from '../../support/eventually.ts';

export interface Cluster {
  readonly kube: Kube;
  readonly kubernetes: Kubernetes;
  /** A namespace of the test's own. */
  namespace(): Promise<string>;
  writeStatus(namespace: string, name: string, status: PipelineStatus): Promise<void>;
}

let shared: Promise<{ cluster: Cluster; dir: string }> | undefined;

export function useCluster(): () => Cluster {
  let cluster: Cluster | undefined;
  before(async function () {
    shared ??= start();
    ({ cluster } = await shared);
  });
  return () => {
    assert.ok(cluster, 'the cluster is used inside tests and hooks only');
    return cluster;
  };
}

after(async function () {
  if (!shared) return;
  const { cluster, dir } = await shared;
  cluster.kube.close();
  await cluster.kubernetes.stop();
  await rm(dir, { recursive: true, force: true });
});

async function start(): Promise<{ cluster: Cluster; dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-doors-'));
  const kubernetes = await startKubernetes({ dir, controllers: false, unsafeNoFsync: true });
  const kube = connectKube(kubernetes.kubeconfigPath);
  await installCrd(kube);
  const cluster: Cluster = {
    kube,
    kubernetes,
    async namespace() {
      const name = `test-${randomUUID().slice(0, 8)}`;
      const by = { fieldManager: 'test' };
      await kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, by);
      // What the controller-manager would do; a pod cannot be made without it.
      await kube.create(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } },
        by,
      );
      return name;
    },
    async writeStatus(namespace, name, status) {
      await kube.apply(
        { apiVersion, kind, metadata: { name, namespace }, status },
        { fieldManager: fieldManagers.status, subresource: 'status', force: true },
      );
    },
  };
  return { cluster, dir };
}

export async function installCrd(kube: Kube): Promise<void> {
  await kube.transport.send({
    method: 'PATCH',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pipelines.millrace.io',
    query: { fieldManager: 'test', force: true },
    contentType: 'application/apply-patch+yaml',
    body: parse(await readFile(new URL('../../../crds/millrace.io_pipelines.yaml', import.meta.url), 'utf8')),
    what: 'apply the CRD',
  });
  await eventually(() => kube.list(kind));
}

export function condition(type: ConditionType, status: Condition['status'], reason: string, generation = 1): Condition {
  return {
    type,
    status,
    reason,
    message: `${reason} it is`,
    observedGeneration: generation,
    lastTransitionTime: '2026-05-01T12:00:00Z',
  };
}

/** What the lifecycle writes when a generation is carried out. */
export function converged(generation: number, reason = 'Running'): PipelineStatus {
  return { observedGeneration: generation, conditions: [condition('Ready', 'True', reason, generation)] };
}

/** The smallest spec. */
export const spec = {
  sources: [{ name: 'orders', generator: { rate: 10 } }],
  sinks: [{ name: 'warehouse', clickhouse: { url: 'http://127.0.0.1:8123', table: 'orders' } }],
};
