/** What a person does with pipelines of the namespace `default`, and looks at, in the tests of the control plane. */
import assert from 'node:assert/strict';
import type { KindName } from '../../../kubernetes/objects.ts';
import { kind, labels } from '../../../model/names.ts';
import { entityWorkflowId } from '../../../model/workflow-ids.ts';
import type { PipelineState } from '../../../workflows/state.ts';
import { eventually } from '../../support/eventually.ts';
import { pipelineManifest, statusOf, type ControlPlane } from './control-plane.ts';

const owned: readonly KindName[] = [
  'Namespace',
  'Deployment',
  'Pod',
  'ConfigMap',
  'Secret',
  'Service',
  'NetworkPolicy',
  'PodDisruptionBudget',
  'ServiceAccount',
];

export class Person {
  readonly #plane: ControlPlane;

  constructor(plane: ControlPlane) {
    this.#plane = plane;
  }

  async putSecret(name: string, data: Record<string, string>): Promise<void> {
    const encoded = Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
    const manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      data: encoded,
    } as const;
    await this.#plane.kube.apply(manifest, { fieldManager: 'person', force: true });
  }

  apply(name: string, spec: Parameters<typeof pipelineManifest>[1] = {}) {
    return this.#plane.kube.apply(pipelineManifest(name, spec), { fieldManager: 'person', force: true });
  }

  /** Deletes the resource and waits until it is gone. */
  async delete(name: string): Promise<void> {
    await this.#plane.kube.delete(kind, name, 'default');
    await this.untilGone(name);
  }

  async untilGone(name: string): Promise<void> {
    await eventually(async () => {
      const resource = await this.#plane.kube.get(kind, name, 'default');
      if (resource !== undefined) throw new Error(`still there: ${JSON.stringify(resource['status'])}`);
    });
  }

  /** Ready for the newest generation, with this reason. */
  untilReady(name: string, reason: string) {
    return eventually(async () => {
      const status = await statusOf(this.#plane.kube, name);
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      const text = JSON.stringify({ phase: status.phase, operation: status.operation, ready });
      if (status.observedGeneration !== status.generation || ready?.reason !== reason) throw new Error(text);
      assert.deepEqual([ready.status, ready.observedGeneration], ['True', status.generation]);
      return status;
    });
  }

  async readyOf(name: string) {
    return (await statusOf(this.#plane.kube, name)).conditions?.find(({ type }) => type === 'Ready');
  }

  async podsOf(uid: string, namespace: string): Promise<string[]> {
    const pods = await this.#plane.kube.list('Pod', { namespace, labels: { [labels.pipelineUid]: uid } });
    return pods.items.map(({ metadata }) => metadata.name);
  }

  /** Everything in the cluster that carries the pipeline's uid. */
  async leftovers(uid: string): Promise<string[]> {
    const found = await Promise.all(
      owned.map((each) => this.#plane.kube.list(each, { labels: { [labels.pipelineUid]: uid } })),
    );
    return found.flatMap(({ items }, i) => items.map(({ metadata }) => `${owned[i] ?? ''} ${metadata.name}`));
  }

  async streamsOf(pid: string): Promise<string[]> {
    const names: string[] = [];
    for await (const name of this.#plane.streams.jsm.streams.names(`mr.${pid}.>`)) names.push(name);
    return names;
  }

  /** The status tells the end of an operation a moment before the entity has noted it. */
  async untilOperations(name: string, uid: string, expected: readonly string[]): Promise<void> {
    await eventually(async () => assert.deepEqual(await this.operationsOf(name, uid), expected));
  }

  /** Ended operations of the entity, each with what made it necessary. */
  async operationsOf(name: string, uid: string): Promise<string[]> {
    const { history } = await this.stateOf(name, uid);
    return history.map(({ kind: each, because = '' }) => `${each} ${because}`.trim());
  }

  stateOf(name: string, uid: string): Promise<PipelineState> {
    const entity = this.#plane.client.workflow.getHandle(entityWorkflowId('default', name, uid));
    return entity.query<PipelineState>('state');
  }

  async openEntities(name: string): Promise<number> {
    const query = `WorkflowType = 'pipelineLifecycle' AND ExecutionStatus = 'Running' AND PipelineName = '${name}'`;
    return (await this.#plane.client.workflow.count(query)).count;
  }
}
