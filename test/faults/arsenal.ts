/** Carries faults out on a running stack. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from '../../local/stack.ts';
import { apiVersion, kind, labels } from '../../model/names.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { Kubectl } from '../e2e/support/kubectl.ts';
import { podProcesses } from '../e2e/support/pods.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import type { Bus } from './bus.ts';
import type { Load } from './load.ts';
import { eventsPipeline, ordersPipeline, type Targets } from './pipelines.ts';
import type { Fault, Link, StageName } from './schedule.ts';
import { fill } from './volume.ts';

export interface Arsenal {
  readonly stack: Stack;
  readonly kube: Kube;
  readonly kubectl: Kubectl;
  readonly links: Readonly<Record<Exclude<Link, 'bus'>, TcpProxy>>;
  readonly bus: Bus;
  readonly targets: Targets;
  readonly load: Pick<Load, 'noteGone'>;
}

const fieldManager = 'faults';
/** It drains before it goes, which waits for a sink that cannot be reached, and for what else is being broken. */
const goneAttempts = 600;

export class Armed {
  readonly #arsenal: Arsenal;
  /** Of pipelines that were deleted. */
  readonly gone: string[] = [];
  #edition = 1;
  #replicas = 1;
  /** Faults on one link or one pod must not end each other's. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(arsenal: Arsenal) {
    this.#arsenal = arsenal;
  }

  /** Resolves when the fault is over. */
  carryOut(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'kill':
        this.#arsenal.stack.part(fault.part).kill('SIGKILL');
        return Promise.resolve();
      case 'freeze':
        return this.#inTurn(fault.part, () => this.#freeze(() => this.#partPids(fault.part), fault.forMs));
      case 'killPod':
        return this.#signalPods(fault.stage, 'SIGKILL');
      case 'freezePod':
        return this.#inTurn(fault.stage, () => this.#freeze(() => this.#podPids(fault.stage), fault.forMs));
      case 'deletePod':
        return this.#deletePod(fault.stage);
      case 'link':
        return this.#inTurn(fault.link, async () => {
          const link = this.#links()[fault.link];
          link?.set(fault.mode);
          await delay(fault.forMs);
          link?.set('pass');
        });
      case 'serverDown':
        return this.#inTurn('cluster', async () => {
          const server = this.#arsenal.bus.cluster?.servers[fault.server];
          await server?.kill();
          await delay(fault.forMs);
          await server?.start();
        });
      case 'serverFrozen':
        return this.#inTurn('cluster', async () => {
          const server = this.#arsenal.bus.cluster?.servers[fault.server];
          server?.signal('SIGSTOP');
          await delay(fault.forMs);
          server?.signal('SIGCONT');
        });
      case 'diskFull':
        return this.#inTurn('diskFull', async () => {
          const makeRoom = await fill(this.#arsenal.bus.volume);
          await delay(fault.forMs);
          await makeRoom();
          // A full volume leaves JetStream hanging: somebody who makes room restarts it, too.
          this.#arsenal.stack.part('nats').kill('SIGKILL');
        });
      case 'edit':
        this.#edition += 1;
        return this.#apply();
      case 'scale':
        this.#replicas = fault.replicas;
        return this.#apply();
      case 'remake':
        return this.#inTurn('remake', () => this.#remake());
      case 'pause':
        return this.#inTurn('pause', async () => {
          await this.#setState('Paused');
          await delay(fault.forMs);
          await this.#setState('Running');
        });
    }
  }

  /** Drained: what was acknowledged is in its table, and the next one knows nothing of it. */
  async #remake(): Promise<void> {
    const { kube, load, targets } = this.#arsenal;
    const { metadata, ...events } = eventsPipeline(targets);
    const place = { name: metadata.name, namespace: 'default' };
    const uid = await untilAnswered(async () => (await kube.get(kind, place.name, place.namespace))?.metadata.uid);
    await untilAnswered(() => kube.delete(kind, place.name, place.namespace, { uid }));
    await untilAnswered(async () => {
      const found = await kube.get(kind, place.name, place.namespace);
      if (found?.metadata.uid === uid) throw new Error(`pipeline ${place.name} is still there`);
    }, goneAttempts);
    load.noteGone();
    if (uid !== undefined) this.gone.push(uid);
    await untilAnswered(async () => {
      await kube.apply({ ...events, metadata: place }, { fieldManager, force: true });
    });
  }

  /** Everything as it was: links pass, the pipeline runs. */
  async heal(): Promise<void> {
    await Promise.all(this.#turns.values());
    for (const link of Object.values(this.#links())) link?.set('pass');
    await this.#setState('Running');
  }

  #links(): Readonly<Record<Link, TcpProxy | undefined>> {
    return { ...this.#arsenal.links, bus: this.#arsenal.bus.link };
  }

  #inTurn(what: string, act: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(what) ?? Promise.resolve()).then(act);
    this.#turns.set(what, turn);
    return turn;
  }

  #partPids(part: string): Promise<number[]> {
    const pid = this.#arsenal.stack.parts.find(({ name }) => name === part)?.pid;
    return Promise.resolve(pid === undefined ? [] : [pid]);
  }

  #podPids(stage: StageName): Promise<number[]> {
    return podProcesses(this.#arsenal.kubectl, pipelineOf(stage), stage);
  }

  async #freeze(find: () => Promise<number[]>, forMs: number): Promise<void> {
    const pids = await reaching(find);
    for (const pid of pids) signal(pid, 'SIGSTOP');
    await delay(forMs);
    for (const pid of pids) signal(pid, 'SIGCONT');
  }

  async #signalPods(stage: StageName, name: NodeJS.Signals): Promise<void> {
    for (const pid of await reaching(() => this.#podPids(stage))) signal(pid, name);
  }

  async #deletePod(stage: StageName): Promise<void> {
    const selector = `${labels.pipeline}=${pipelineOf(stage)},${labels.stage}=${stage}`;
    await untilAnswered(async () => {
      await this.#arsenal.kubectl.run(['delete', 'pod', '-A', '-l', selector, '--wait=false']);
    });
  }

  #apply(): Promise<void> {
    const manifest = ordersPipeline(this.#arsenal.targets, this.#edition, this.#replicas);
    const { name } = manifest.metadata;
    return untilAnswered(async () => {
      await this.#arsenal.kube.apply(
        { ...manifest, metadata: { name, namespace: 'default' } },
        { fieldManager, force: true },
      );
    });
  }

  #setState(desiredState: 'Running' | 'Paused'): Promise<void> {
    return untilAnswered(async () => {
      await this.#arsenal.kube.apply(
        { apiVersion, kind, metadata: { name: 'orders', namespace: 'default' }, spec: { desiredState } },
        { fieldManager: `${fieldManager}-state`, force: true },
      );
    });
  }
}

export function pipelineOf(stage: StageName): 'orders' | 'events' {
  return stage === 'ingestor-web' || stage === 'sink-store' ? 'events' : 'orders';
}

/** The API server is one of those that are killed: a person would try again, too. */
async function untilAnswered<T>(act: () => Promise<T>, attempts = 120): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt === attempts) throw error;
      await delay(1_000);
    }
  }
}

/** Nothing to signal when the API does not answer, or no pod runs: the fault misses, as faults do. */
async function reaching(find: () => Promise<number[]>): Promise<number[]> {
  try {
    return await find();
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
