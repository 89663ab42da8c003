/**
 * Runs one pod, from the moment it is bound to this node until nothing of it is left.
 *
 * Z1  One loop per pod observes, decides (./pod-plan.ts) and acts; everything else only wakes it.
 * Z2  A pod that is deleted, or gone from the API, loses its processes first and its API object, directory and address
 *     after them.
 * Z3  A failed step is retried; it never ends the loop.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { problemOf } from '../../model/errors.ts';
import { writeFileAtomic } from '../files.ts';
import { containerCommand } from './command.ts';
import type { NodeContext } from './context.ts';
import { isConflict, isNotFound } from './kube.ts';
import { planPod, type Phase } from './pod-plan.ts';
import { conditionsIn, statusOf, type Condition } from './pod-status.ts';
import type { Container, Pod } from './pod.ts';
import type { ProbeTarget } from './probe-action.ts';
import { ContainerRunner } from './runner.ts';
import { knownStatusOf } from './known-status.ts';
import { StatusWriter } from './status-writer.ts';
import { Surroundings } from './surroundings.ts';
import { Waker } from './waker.ts';

/** While a pod ends. */
const lookEveryMs = 200;
const idleMs = 60_000;
/** While a last status is being written. */
const writtenCheckMs = 50;
const lastWordsMs = 2_000;
const faultRetryMs = 5_000;
const troubleRetryMs = 1_000;

export class PodWorker {
  readonly uid: string;
  readonly #context: NodeContext;
  readonly #dir: string;
  readonly #waker = new Waker();
  readonly #runners: ContainerRunner[] = [];
  readonly #status: StatusWriter;
  readonly #surroundings: Surroundings;
  #pod: Pod;
  #conditions: readonly Condition[] = [];
  #verdict: { readonly reason: string; readonly message: string } | undefined;
  /** For each container that could not be started: when to retry. */
  readonly #retryAt = new Map<string, number>();
  /** False: known only from disk. Its processes are watched, but none is started before the API has named the pod. */
  #isConfirmed: boolean;
  #isGone = false;
  #isClosing = false;
  #isDone = false;
  #lastWordsUntil: number | undefined;
  #startedAt = 0;

  constructor(context: NodeContext, pod: Pod, isConfirmed: boolean) {
    this.#context = context;
    this.#pod = pod;
    this.#isConfirmed = isConfirmed;
    this.uid = pod.metadata.uid;
    this.#dir = join(context.podsDir, this.uid);
    this.#status = new StatusWriter(context, () => this.gone());
    this.#surroundings = new Surroundings(context, this.#dir, pod);
    this.#recall(pod);
  }

  get pod(): Pod {
    return this.#pod;
  }

  runner(container: string): ContainerRunner | undefined {
    return this.#runners.find(({ name }) => name === container);
  }

  update(pod: Pod): void {
    if (!this.#isConfirmed) this.#recall(pod);
    this.#pod = pod;
    this.#isConfirmed = true;
    this.#surroundings.update(pod);
    this.#waker.wake();
  }

  /** The API no longer has it. */
  gone(): void {
    this.#isGone = true;
    this.#waker.wake();
  }

  /** A ConfigMap or Secret has changed. */
  referenceChanged(reference: string): void {
    if (!this.#surroundings.changed(reference)) return;
    this.#retryAt.clear();
    this.#waker.wake();
  }

  /** Ends all processes and leaves the pod in the API; {@link run} then returns. */
  close(): void {
    this.#isClosing = true;
    this.#waker.wake();
  }

  /** Z1. Returns whether the pod is over, or only the node. */
  async run(): Promise<'over' | 'closed'> {
    for (;;) {
      let waitMs: number;
      try {
        if (this.#runners.length === 0) await this.#open();
        waitMs = await this.#sync(Date.now());
      } catch (error) {
        // Z3
        this.#context.log.warn({ pod: this.#name, error: problemOf(error) }, 'will try again');
        waitMs = troubleRetryMs;
      }
      if (this.#isDone) return this.#isClosing ? 'closed' : 'over';
      await this.#waker.wait(waitMs);
    }
  }

  async #open(): Promise<void> {
    const { spec } = this.#pod;
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(this.#dir, 'pod.json'), JSON.stringify(this.#pod));
    const open = (container: Container, isInit: boolean) =>
      ContainerRunner.open({
        dir: join(this.#dir, 'containers', container.name),
        runIdPrefix: this.uid,
        container,
        isInit,
        backoff: this.#context.backoff,
        maxLogBytes: this.#context.maxLogBytes,
        known: () => knownStatusOf(this.#pod, container.name, isInit),
        graceMs: spec.terminationGracePeriodSeconds * 1000,
        onChange: () => this.#waker.wake(),
        onEvent: (event) => this.#context.event(this.#pod, event),
      });
    const runners = [
      ...(await Promise.all(spec.initContainers.map((container) => open(container, true)))),
      ...(await Promise.all(spec.containers.map((container) => open(container, false)))),
    ];
    this.#runners.push(...runners);
  }

  /** One iteration. Returns after which time the next is due if nothing happens. */
  async #sync(now: number): Promise<number> {
    for (const runner of this.#runners) await runner.tick(now, this.#target(runner));
    if (this.#isClosing) return await this.#shutDown(now);
    if (this.#isGone || this.#pod.metadata.deletionTimestamp !== undefined) return await this.#end(now);
    if (!this.#isConfirmed) return lookEveryMs;
    if (isFinal(this.#pod.status.phase)) return await this.#settle(now);
    return await this.#advance(now);
  }

  async #advance(now: number): Promise<number> {
    const { activeDeadlineSeconds } = this.#pod.spec;
    const deadline = activeDeadlineSeconds === undefined ? Infinity : this.#startedAt + activeDeadlineSeconds * 1000;
    if (now >= deadline) {
      const message = 'Pod was active on the node longer than the specified deadline';
      this.#verdict = { reason: 'DeadlineExceeded', message };
      this.#post('Failed', now);
      return await this.#settle(now);
    }
    const fault = await this.#surroundings.prepare(now, faultRetryMs);
    const plan = planPod(this.#views(), this.#pod.spec.restartPolicy, now);
    const due = plan.start.filter((name) => now >= (this.#retryAt.get(name) ?? 0));
    if (fault) for (const runner of this.#runners) runner.setFault(fault);
    else for (const name of due) await this.#start(name, now);
    // Containers that were started have a status to report at once.
    for (const runner of this.#runners) await runner.tick(now, this.#target(runner));
    const after = planPod(this.#views(), this.#pod.spec.restartPolicy, now);
    this.#post(after.phase, now);
    return this.#nextLook(now, [after.wakeAt, deadline, this.#surroundings.wakeAt, ...this.#retryAt.values()]);
  }

  #nextLook(now: number, times: readonly (number | undefined)[]): number {
    const looks = this.#runners.map((runner) => runner.lookAgainMs);
    const waits = times.map((time) => (time === undefined ? undefined : time - now));
    const due = [...looks, ...waits].filter((wait) => wait !== undefined).filter((wait) => wait > 0);
    return Math.max(10, Math.min(idleMs, ...due));
  }

  #views() {
    return this.#runners.map((runner) => ({
      name: runner.name,
      isInit: runner.options.isInit,
      run: runner.run,
      notBefore: runner.notBefore,
    }));
  }

  async #start(name: string, now: number): Promise<void> {
    const runner = this.runner(name);
    if (!runner) return;
    this.#retryAt.set(name, now + faultRetryMs);
    await runner.start(
      async () => await containerCommand(await this.#surroundings.commandContext(runner.options.container)),
      now,
    );
    if (!runner.fault) this.#retryAt.delete(name);
  }

  #target(runner: ContainerRunner): ProbeTarget | undefined {
    return this.#surroundings.target(runner.options.container);
  }

  // -- the end ----------------------------------------------------------------------------------------------------

  /** Z2. */
  async #end(now: number): Promise<number> {
    const { deletionGracePeriodSeconds } = this.#pod.metadata;
    const seconds = deletionGracePeriodSeconds ?? this.#pod.spec.terminationGracePeriodSeconds;
    if (await this.#stopAll(Math.max(1, seconds) * 1000, now)) return lookEveryMs;
    if (!this.#isGone) {
      if (this.#runners.some((runner) => runner.run)) this.#post(this.#finalPhase(), now);
      if (!this.#status.isIdle) return writtenCheckMs;
      await this.#deleteObject();
    }
    await rm(this.#dir, { recursive: true, force: true });
    await this.#context.addresses.release(this.uid);
    this.#finish();
    return idleMs;
  }

  async #shutDown(now: number): Promise<number> {
    for (const runner of this.#runners) await runner.markInterrupted();
    const graceMs = Math.min(this.#pod.spec.terminationGracePeriodSeconds * 1000, this.#context.shutdownGraceMs);
    if (await this.#stopAll(graceMs, now)) return writtenCheckMs;
    if (this.#isConfirmed && this.#surroundings.placement && !isFinal(this.#pod.status.phase)) {
      this.#post(planPod(this.#views(), this.#pod.spec.restartPolicy, now).phase, now);
    }
    // The API may be stopping, too; the next node reports the same.
    this.#lastWordsUntil ??= now + lastWordsMs;
    if (!this.#status.isIdle && now < this.#lastWordsUntil) return writtenCheckMs;
    this.#finish();
    return idleMs;
  }

  /** X3: a final pod keeps its directory, for its logs, and nothing else. */
  async #settle(now: number): Promise<number> {
    const graceMs = this.#pod.spec.terminationGracePeriodSeconds * 1000;
    return (await this.#stopAll(graceMs, now)) ? lookEveryMs : idleMs;
  }

  /** Returns whether something is still running. */
  async #stopAll(graceMs: number, now: number): Promise<boolean> {
    for (const runner of this.#runners) {
      runner.stop(graceMs, now, `Stopping container ${runner.name}`, this.#target(runner));
      await runner.tick(now, this.#target(runner));
    }
    return this.#runners.some((runner) => runner.isActive);
  }

  #finalPhase(): Phase {
    const held = this.#pod.status.phase;
    if (held === 'Succeeded' || held === 'Failed') return held;
    return planPod(this.#views(), 'Never', 0).phase === 'Succeeded' ? 'Succeeded' : 'Failed';
  }

  async #deleteObject(): Promise<void> {
    const { name, namespace, uid } = this.#pod.metadata;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } };
    try {
      await this.#context.kube.json({ method: 'DELETE', path, body });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  #finish(): void {
    for (const runner of this.#runners) runner.close();
    this.#status.close();
    this.#isDone = true;
  }

  // -- status -----------------------------------------------------------------------------------------------------

  /** What an earlier node has reported to the API. */
  #recall(pod: Pod): void {
    this.#conditions = conditionsIn(pod.status);
    this.#startedAt = pod.status.startTime === undefined ? Date.now() : Date.parse(pod.status.startTime);
  }

  #post(phase: Phase, now: number): void {
    const status = statusOf(
      {
        pod: this.#pod,
        phase,
        verdict: this.#verdict,
        placement: this.#surroundings.placement,
        startedAt: this.#startedAt,
        containers: this.#runners.map((runner) => ({
          container: runner.options.container,
          isInit: runner.options.isInit,
          run: runner.run,
          runId: runner.runId,
          restarts: runner.restarts,
          previous: runner.previousEnd,
          fault: runner.fault,
          backoffMs: runner.backoffMs,
          isStarted: runner.isStarted,
          isReady: runner.isReady,
        })),
      },
      this.#conditions,
      now,
    );
    this.#conditions = conditionsIn(status);
    this.#status.offer(this.#pod, status, now);
  }

  get #name(): string {
    return `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`;
  }
}

function isFinal(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}
