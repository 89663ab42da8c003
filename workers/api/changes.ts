/**
 * Finds the operation that carries out a stored change, and its state.
 *
 * C1  A change is named at once: by the workflow that carries it out if that is planned within `planWaitMs`, else
 *     by its generation. Both names can be looked up later.
 * C2  The answer never says more than is known: a change is Succeeded when the resource says that the generation was
 *     carried out, or when its workflow has completed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { formatOperationId, parseOperationId, type OperationId } from '../../client/operation-id.ts';
import { settledAt, stillOf, type Settled, type StillState } from '../../client/settled.ts';
import type { Change, Decided, Operation, StoredPipeline } from '../../client/wire.ts';
import { outcomeOf } from '../../model/decision.ts';
import { assertNever, mr } from '../../model/errors.ts';
import type { PipelineDoor } from '../../kubernetes/pipelines.ts';
import type { OperationRuns } from './operation-runs.ts';

/** The controller and the entity need a few tens of milliseconds. */
const defaultPlanWaitMs = 2_000;
const pollMs = 50;

export interface ChangesOptions {
  readonly pipelines: PipelineDoor;
  readonly runs: OperationRuns;
  /** How long an answer waits for the plan. Default 2,000 ms. */
  readonly planWaitMs?: number | undefined;
}

export class Changes {
  readonly #pipelines: PipelineDoor;
  readonly #runs: OperationRuns;
  readonly #planWaitMs: number;

  constructor({ pipelines, runs, planWaitMs = defaultPlanWaitMs }: ChangesOptions) {
    this.#planWaitMs = planWaitMs;
    this.#pipelines = pipelines;
    this.#runs = runs;
  }

  /** Names the change that made `stored`. `before`: the resource before it, or null. `still`: the requested state. */
  async announce(before: StoredPipeline | null, stored: StoredPipeline, still?: StillState): Promise<Change> {
    const generation = stored.metadata.generation ?? 0;
    const isNew = before?.metadata.uid !== stored.metadata.uid || before?.metadata.generation !== generation;
    if (!isNew && settledAt(stored.status, generation, still).is === 'ready') return { operation: null, generation };
    return { operation: await this.#planned(changeOf(stored, { stands: still !== undefined })), generation };
  }

  /** Names the deletion of `stored`. A deletion is a change even of a pipeline that is being deleted. */
  async announceDeletion(stored: StoredPipeline): Promise<Change> {
    const generation = stored.metadata.generation ?? 0;
    return { operation: await this.#planned(changeOf(stored, { deletes: true })), generation };
  }

  /** Names the operation that retries what failed for `stored`; the resource itself has not changed. */
  async announceRetry(stored: StoredPipeline): Promise<Change> {
    const change = changeOf(stored, { stands: stored.spec.desiredState !== 'Running' });
    const { generation } = change;
    const deadline = Date.now() + this.#planWaitMs;
    for (;;) {
      const now = await this.#find(change);
      const running = now ? carriedOutBy(now, change) : null;
      if (running) return { operation: running, generation };
      // The status is still that of the failed attempt.
      if (now === null || Date.now() >= deadline) {
        return { operation: { ...base(change), state: now === null ? 'Cancelled' : 'Accepted' }, generation };
      }
      await delay(pollMs);
    }
  }

  /** The outcome of a decision, as far as it is known within `planWaitMs`. Throws MR_DECISION_REFUSED. */
  async announceDecision(stored: StoredPipeline, text: string): Promise<Decided> {
    const { namespace = 'default', name } = stored.metadata;
    const deadline = Date.now() + this.#planWaitMs;
    for (;;) {
      const { status = {} } = await this.#pipelines.get(namespace, name);
      const outcome = outcomeOf(status, text);
      if (outcome?.problem !== undefined) {
        throw mr('MR_DECISION_REFUSED', { decision: text, problem: outcome.problem });
      }
      if (outcome !== undefined) return { decision: text, state: 'CarriedOut' };
      if (Date.now() >= deadline) return { decision: text, state: 'Accepted' };
      await delay(pollMs);
    }
  }

  /** The present state of an announced change. Throws MR_OPERATION_NOT_FOUND. */
  async describe(namespace: string, name: string, id: string): Promise<Operation> {
    const parsed = parseOperationId(id);
    if (parsed?.namespace !== namespace || parsed.name !== name) {
      throw mr('MR_OPERATION_NOT_FOUND', { namespace, name, operation: id });
    }
    return parsed.planned ? this.#workflow(parsed, id) : this.#byGeneration(parsed);
  }

  async #planned(change: OperationId): Promise<Operation> {
    const deadline = Date.now() + this.#planWaitMs;
    for (;;) {
      const now = await this.#find(change);
      const running = now ? carriedOutBy(now, change) : null;
      if (running) return running;
      const isOver = now === null || (!change.deletes && isCarriedOut(change, now));
      if (isOver || Date.now() >= deadline) return fromResource(change, now);
      await delay(pollMs);
    }
  }

  async #byGeneration(change: OperationId): Promise<Operation> {
    const now = await this.#find(change);
    const running = now ? carriedOutBy(now, change) : null;
    return running ?? fromResource(change, now);
  }

  /** The resource that was changed; null when it is gone or was replaced. */
  async #find({ namespace, name, uid }: OperationId): Promise<StoredPipeline | null> {
    const found = await this.#pipelines.find(namespace, name);
    return found?.metadata.uid === uid ? found : null;
  }

  async #workflow(parsed: OperationId, id: string): Promise<Operation> {
    const run = await this.#runs.describe(id);
    if (run === null) {
      throw mr('MR_OPERATION_NOT_FOUND', { namespace: parsed.namespace, name: parsed.name, operation: id });
    }
    const step = run.state === 'Running' ? (await this.#find(parsed))?.status?.operation : undefined;
    return {
      ...base(parsed),
      ...run,
      ...(step?.id === id ? { step: step.step } : {}),
    };
  }
}

/** The running operation, if it carries out the change or a later one that includes it; else null. */
function carriedOutBy(pipeline: StoredPipeline, change: OperationId): Operation | null {
  const running = pipeline.status?.operation;
  const parsed = running ? parseOperationId(running.id) : null;
  if (!running || !parsed || parsed.generation < change.generation) return null;
  if (change.deletes && !parsed.deletes) return null;
  return {
    ...base(parsed),
    state: 'Running',
    step: running.step,
    startedAt: running.startedAt,
    ...(running.attempt === undefined ? {} : { attempt: running.attempt }),
    ...(running.lastError === undefined ? {} : { message: running.lastError }),
  };
}

function changeOf(
  { metadata: { namespace = 'default', name, uid = '', generation = 0 } }: StoredPipeline,
  { deletes = false, stands = false }: Partial<Pick<OperationId, 'deletes' | 'stands'>>,
): OperationId {
  return { namespace, name, uid, generation, deletes, stands, planned: null };
}

function settledOf({ generation, stands }: OperationId, { spec, status }: StoredPipeline): Settled {
  return settledAt(status, generation, stands ? stillOf(spec.desiredState) : undefined);
}

/** Carried out does not mean Ready: a sink may be down. */
function isCarriedOut(change: OperationId, now: StoredPipeline): boolean {
  const isRefused = settledAt(now.status, change.generation).is === 'refused';
  // A refused spec was observed, but that does not mean that the pipeline has stopped.
  if (change.stands && isRefused) return settledOf(change, now).is !== 'waiting';
  return (now.status?.observedGeneration ?? 0) >= change.generation;
}

function fromResource(change: OperationId, now: StoredPipeline | null): Operation {
  if (now === null) {
    return { ...base(change), state: change.deletes ? 'Succeeded' : 'Cancelled', message: 'the pipeline is gone' };
  }
  if (change.deletes) return { ...base(change), state: 'Accepted' };
  const settled = settledOf(change, now);
  switch (settled.is) {
    case 'refused':
      return { ...base(change), state: 'Failed', message: settled.message };
    case 'ready':
      return { ...base(change), state: 'Succeeded', message: settled.message };
    case 'waiting':
      return { ...base(change), state: isCarriedOut(change, now) ? 'Succeeded' : 'Accepted', message: settled.message };
    default:
      return assertNever(settled);
  }
}

function base(id: OperationId): Pick<Operation, 'id' | 'kind' | 'generation' | 'href'> {
  const text = formatOperationId(id);
  return {
    id: text,
    kind: id.planned?.kind ?? null,
    generation: id.generation,
    href: `/v1/namespaces/${id.namespace}/pipelines/${id.name}/operations/${encodeURIComponent(text)}`,
  };
}
