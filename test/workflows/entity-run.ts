/** One entity on the dev server with a world in memory: signals as the controller sends them, waiting as tests need it. */
import { randomUUID } from 'node:crypto';
import { WorkflowIdConflictPolicy, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, Worker } from '@temporalio/worker';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { entityWorkflowId } from '../../model/workflow-ids.ts';
import { workflowBundle } from '../../workers/lifecycle/bundle.ts';
import type { EntityInput } from '../../workflows/entity.ts';
import type { PipelineState } from '../../workflows/state.ts';
import { eventually } from '../support/eventually.ts';
import { FakeWorld } from './fake-world.ts';
import { temporalServer, type TemporalServer } from './temporal-server.ts';

export class EntityRun {
  readonly world: FakeWorld;
  /** Of the entity, beside its pipeline. */
  settings: Pick<EntityInput, 'abandonAfterMs'> = {};
  readonly pipeline: PipelineRef;
  readonly taskQueue: string;
  readonly temporal: TemporalServer;
  readonly #worker: Worker;
  readonly #running: Promise<void>;

  static async start(): Promise<EntityRun> {
    const temporal = await temporalServer();
    const uid = randomUUID();
    const pipeline = { namespace: 'shop', name: 'orders', uid };
    const world = new FakeWorld(pipeline);
    const taskQueue = `pipelines-${uid}`;
    const worker = await Worker.create({
      connection: temporal.native,
      taskQueue,
      workflowBundle: { codePath: await workflowBundle(new DefaultLogger('ERROR')) },
      activities: { ...world.activities() },
      maxCachedWorkflows: 20,
      maxHeartbeatThrottleInterval: '50ms',
      shutdownGraceTime: '1s',
      shutdownForceTime: '3s',
    });
    return new EntityRun(temporal, world, pipeline, taskQueue, worker);
  }

  private constructor(
    temporal: TemporalServer,
    world: FakeWorld,
    pipeline: PipelineRef,
    taskQueue: string,
    worker: Worker,
  ) {
    this.temporal = temporal;
    this.world = world;
    this.pipeline = pipeline;
    this.taskQueue = taskQueue;
    this.#worker = worker;
    this.#running = worker.run();
  }

  get id(): string {
    return entityWorkflowId(this.pipeline.namespace, this.pipeline.name, this.pipeline.uid);
  }

  get handle(): WorkflowHandle {
    return this.temporal.client.workflow.getHandle(this.id);
  }

  /** As the controller does after every change of the resource. */
  async signal(deleting = false): Promise<void> {
    const generation = this.world.resource?.generation ?? 0;
    await this.temporal.client.workflow.signalWithStart('pipelineLifecycle', {
      workflowId: this.id,
      taskQueue: this.taskQueue,
      args: [{ pipeline: this.pipeline, ...this.settings }],
      signal: 'specChanged',
      signalArgs: [{ generation, deleting }],
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    });
  }

  state(): Promise<PipelineState> {
    return this.handle.query<PipelineState>('state');
  }

  async until(holds: (state: PipelineState) => boolean): Promise<PipelineState> {
    return eventually(async () => {
      const state = await this.state();
      if (!holds(state)) throw new Error(`not yet: ${JSON.stringify(state)}`);
      return state;
    });
  }

  /** Idle, in this state, for the resource's generation. */
  async untilReached(is: PipelineState['actual']['is']): Promise<PipelineState> {
    const generation = this.world.resource?.generation ?? 0;
    return this.until(
      ({ actual, running }) =>
        running === null && actual.is === is && 'generation' in actual && actual.generation === generation,
    );
  }

  async provision(): Promise<void> {
    await this.signal();
    await this.untilReached('Running');
  }

  /** Number of events in the history of the entity's current run. */
  async events(): Promise<number> {
    const { historyLength } = await this.handle.describe();
    return historyLength;
  }

  async operations(): Promise<string[]> {
    return (await this.state()).history.map(({ kind, outcome }) => `${kind} ${outcome}`);
  }

  async stop(): Promise<void> {
    try {
      await this.handle.terminate('the test is over');
    } catch {
      // Completed, or never started: both are fine at the end of a test.
    }
    this.#worker.shutdown();
    await this.#running;
  }
}
