/** Activities on a world in memory: a resource, stages with pods, streams. Each can be held or made to fail. */
import { setTimeout } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import type { LifecycleActivities, PipelineRef, RefusedSpec, SpecSummary, StatusInput } from '../../model/lifecycle.ts';
import { spec } from './builders.ts';

type Name = keyof LifecycleActivities;

export class FakeWorld {
  readonly pipeline: PipelineRef;
  resource: SpecSummary | undefined = spec();
  /** Names of activities in the order in which they began. */
  readonly calls: string[] = [];
  /** Steps as a person reads them. */
  readonly steps: string[] = [];
  readonly statuses: StatusInput[] = [];
  /** Replicas by stage: what runs. */
  readonly stages = new Map<string, number>();
  drained = true;
  /** Code with which the spec is refused. */
  invalid: string | undefined;
  /** How many reads find the resource gone, although it is there. */
  blindReads = 0;
  /** The spec that was read and found valid last. */
  accepted: SpecSummary | undefined;
  /** Activities that do not end when they are cancelled: nobody serves them. */
  readonly unserved = new Set<Name>();
  readonly #held = new Set<Name>();
  readonly #failures = new Map<Name, ApplicationFailure>();

  constructor(pipeline: PipelineRef) {
    this.pipeline = pipeline;
  }

  edit(change: Partial<SpecSummary>): SpecSummary {
    if (this.resource === undefined) throw new Error('the resource is gone');
    this.resource = { ...this.resource, generation: this.resource.generation + 1, ...change };
    return this.resource;
  }

  /** The activity does not end until `release`, or until it is cancelled. */
  hold(name: Name): void {
    this.#held.add(name);
  }

  release(name: Name): void {
    this.#held.delete(name);
  }

  failWith(name: Name, code: string, nonRetryable: boolean): void {
    this.#failures.set(name, ApplicationFailure.create({ type: code, message: `${code} happened`, nonRetryable }));
  }

  recover(name: Name): void {
    this.#failures.delete(name);
  }

  activities(): LifecycleActivities {
    const stagesOf = () => [...this.stages].map(([name, wanted]) => ({ name, wanted, kind: kindOf(name) }));
    const world: LifecycleActivities = {
      fetchSpec: async ({ plan }) => {
        if (this.resource === undefined || this.#isBlind()) throw refused('MR_PIPELINE_REPLACED');
        const opSeq = this.statuses.at(-1)?.opSeq ?? this.resource.opSeq;
        if (plan === 'inForce') return { ...(this.accepted ?? this.resource), opSeq };
        if (this.invalid !== undefined) throw refused(this.invalid, this.#read(opSeq));
        this.accepted = this.resource;
        return { ...this.resource, opSeq };
      },
      locatePipeline: async () => ({ ...(this.resource ?? spec()), exists: this.resource !== undefined }),
      writeStatus: async (input) => void this.statuses.push(input),
      takeDecision: async () => undefined,
      ensureNamespace: async () => undefined,
      copyCredentials: async () => ({ keys: 0 }),
      applyPlan: async () => ({ stages: this.resource?.stages ?? [] }),
      takeBackPlan: async () => undefined,
      ensureStreams: async () => undefined,
      announcePlan: async ({ generation }) => ({ generation, from: [] }),
      waitRetired: async () => {
        while (!this.drained && this.resource?.deletionPolicy === 'Drain') await heartbeatOnce();
      },
      retireStages: async () => undefined,
      applyStage: async ({ stage, replicas }) => {
        this.stages.set(stage, replicas);
        return { changed: true };
      },
      waitStage: async ({ stage }) => ({ ready: this.stages.get(stage) ?? 0 }),
      recordRevision: async () => ({ revision: 'orders-1' }),
      listStages: async () => stagesOf(),
      scaleStage: async ({ stage, replicas }) => void this.stages.set(stage, replicas),
      waitStageGone: async () => undefined,
      waitDrained: async ({ until, sinks }) => {
        const isGivenUp = () => until === 'drainedOrImmediate' && this.resource?.deletionPolicy !== 'Drain';
        while (!this.drained && sinks?.length !== 0 && !isGivenUp()) await heartbeatOnce();
        return { drained: this.drained };
      },
      pruneStages: async ({ keep }) => {
        const removed = [...this.stages.keys()].filter((name) => !keep.includes(name));
        for (const name of removed) this.stages.delete(name);
        return { removed };
      },
      releaseObjects: async () => undefined,
      deleteStreams: async () => undefined,
      forgetLeases: async () => undefined,
      deleteNamespace: async () => this.stages.clear(),
      waitNamespaceGone: async () => undefined,
      removeFinalizer: async () => void (this.resource = undefined),
      writePipeline: async () => ({ pipeline: this.pipeline, generation: 1 }),
      waitPipelineReady: async (input) => ({ ...input, status: {} }),
      removePipeline: async () => this.pipeline,
      waitPipelineGone: async () => undefined,
    };
    return {
      fetchSpec: this.#observed('fetchSpec', world.fetchSpec),
      locatePipeline: this.#observed('locatePipeline', world.locatePipeline),
      writeStatus: this.#observed('writeStatus', world.writeStatus),
      takeDecision: this.#observed('takeDecision', world.takeDecision),
      ensureNamespace: this.#observed('ensureNamespace', world.ensureNamespace),
      copyCredentials: this.#observed('copyCredentials', world.copyCredentials),
      applyPlan: this.#observed('applyPlan', world.applyPlan),
      takeBackPlan: this.#observed('takeBackPlan', world.takeBackPlan),
      ensureStreams: this.#observed('ensureStreams', world.ensureStreams),
      announcePlan: this.#observed('announcePlan', world.announcePlan),
      waitRetired: this.#observed('waitRetired', world.waitRetired),
      retireStages: this.#observed('retireStages', world.retireStages),
      applyStage: this.#observed('applyStage', world.applyStage),
      waitStage: this.#observed('waitStage', world.waitStage),
      recordRevision: this.#observed('recordRevision', world.recordRevision),
      listStages: this.#observed('listStages', world.listStages),
      scaleStage: this.#observed('scaleStage', world.scaleStage),
      waitStageGone: this.#observed('waitStageGone', world.waitStageGone),
      waitDrained: this.#observed('waitDrained', world.waitDrained),
      pruneStages: this.#observed('pruneStages', world.pruneStages),
      releaseObjects: this.#observed('releaseObjects', world.releaseObjects),
      deleteStreams: this.#observed('deleteStreams', world.deleteStreams),
      forgetLeases: this.#observed('forgetLeases', world.forgetLeases),
      deleteNamespace: this.#observed('deleteNamespace', world.deleteNamespace),
      waitNamespaceGone: this.#observed('waitNamespaceGone', world.waitNamespaceGone),
      removeFinalizer: this.#observed('removeFinalizer', world.removeFinalizer),
      writePipeline: this.#observed('writePipeline', world.writePipeline),
      waitPipelineReady: this.#observed('waitPipelineReady', world.waitPipelineReady),
      removePipeline: this.#observed('removePipeline', world.removePipeline),
      waitPipelineGone: this.#observed('waitPipelineGone', world.waitPipelineGone),
    };
  }

  #isBlind(): boolean {
    if (this.blindReads === 0) return false;
    this.blindReads -= 1;
    return true;
  }

  #read(opSeq: number): RefusedSpec {
    const { generation, deleting, desiredState } = this.resource ?? spec();
    return { generation, deleting, desiredState, acceptedGeneration: this.accepted?.generation ?? 0, opSeq };
  }

  #observed<I extends object, R>(name: Name, act: (input: I) => Promise<R>): (input: I) => Promise<R> {
    return async (input) => {
      this.calls.push(name);
      if ('step' in input && typeof input.step === 'string') this.steps.push(input.step);
      while (this.#held.has(name)) await heartbeatOnce();
      while (this.unserved.has(name)) await setTimeout(20);
      const failure = this.#failures.get(name);
      if (failure !== undefined) throw failure;
      return act(input);
    };
  }
}

async function heartbeatOnce(): Promise<void> {
  Context.current().heartbeat('held');
  await Context.current().sleep(20);
}

function kindOf(stage: string): 'ingestor' | 'sink' {
  return stage.startsWith('ingestor-') ? 'ingestor' : 'sink';
}

function refused(code: string, read?: RefusedSpec): ApplicationFailure {
  const details = read === undefined ? [] : [{ code, read }];
  return ApplicationFailure.create({ type: code, message: `${code} happened`, nonRetryable: true, details });
}
