/**
 * What a pod's containers need when they start: an address, files, an environment.
 *
 * J1  A pod starts with all its volumes. Later changes are followed; one that fails leaves the files unchanged and is
 *     retried.
 * J2  The address is the pod's from its first start to its end.
 */
import { join } from 'node:path';
import { problemOf } from '../../model/errors.ts';
import { commandOf, type CommandContext } from './command.ts';
import type { NodeContext } from './context.ts';
import { resolveEnv, type Lookup } from './env.ts';
import { ContainerFault } from './fault.ts';
import type { Placement } from './field-ref.ts';
import { mountsOf } from './mounts.ts';
import type { Container, Pod } from './pod.ts';
import type { ProbeTarget } from './probe-action.ts';
import { PodTokens } from './tokens.ts';
import { referencesOf, writeVolume } from './volumes.ts';

export class Surroundings {
  readonly #context: NodeContext;
  readonly #dir: string;
  readonly #tokens: PodTokens;
  #pod: Pod;
  #references: ReadonlySet<string>;
  #placement: Placement | undefined;
  #volumes: 'none' | 'stale' | 'current' = 'none';
  #fault: ContainerFault | undefined;
  #retryAt = 0;

  constructor(context: NodeContext, dir: string, pod: Pod) {
    this.#context = context;
    this.#dir = dir;
    this.#pod = pod;
    this.#references = referencesOf(pod);
    this.#tokens = new PodTokens(context.kube);
  }

  get placement(): Placement | undefined {
    return this.#placement;
  }

  /** When there is work to do even if nothing happens. */
  get wakeAt(): number | undefined {
    return this.#volumes === 'current' ? this.#tokens.renewAt : this.#retryAt;
  }

  update(pod: Pod): void {
    this.#pod = pod;
    this.#references = referencesOf(pod);
  }

  /** A ConfigMap or Secret has changed. Returns whether this pod names it. */
  changed(reference: string): boolean {
    if (!this.#references.has(reference)) return false;
    if (this.#volumes === 'current') this.#volumes = 'stale';
    this.#retryAt = 0;
    return true;
  }

  /** J1, J2. Returns the reason why no container may start, if any. */
  async prepare(now: number, retryMs: number): Promise<ContainerFault | undefined> {
    const { nodeName, addresses } = this.#context;
    this.#placement ??= { nodeName, hostIP: '127.0.0.1', podIP: await addresses.addressOf(this.#pod.metadata.uid) };
    const renewAt = this.#tokens.renewAt;
    if (renewAt !== undefined && now >= renewAt && this.#volumes === 'current') this.#volumes = 'stale';
    if (this.#volumes !== 'current' && now >= this.#retryAt) await this.#writeVolumes(now, retryMs);
    return this.#volumes === 'none' ? this.#fault : undefined;
  }

  async commandContext(container: Container): Promise<CommandContext> {
    if (!this.#placement) throw new TypeError('a pod has its address before its containers');
    return {
      pod: this.#pod,
      container,
      env: await resolveEnv(this.#pod, container, this.#placement, this.#lookup),
      mounts: mountsOf(container, (volume) => this.#volumeDir(volume)),
      shimDir: this.#context.shimDir,
      homeDir: join(this.#dir, 'work'),
      hostEnv: this.#context.hostEnv,
    };
  }

  /** Undefined before the pod has its address. */
  target(container: Container): ProbeTarget | undefined {
    if (!this.#placement) return undefined;
    return {
      container,
      podIP: this.#placement.podIP,
      command: async (argv) => await commandOf(argv, await this.commandContext(container)),
    };
  }

  async #writeVolumes(now: number, retryMs: number): Promise<void> {
    const placement = this.#placement;
    if (!placement) return;
    const context = {
      pod: this.#pod,
      placement,
      lookup: this.#lookup,
      token: (audience: string | undefined, seconds: number) => this.#tokens.token(this.#pod, audience, seconds, now),
    };
    try {
      for (const volume of this.#pod.spec.volumes) await writeVolume(this.#volumeDir(volume.name), volume, context);
      this.#volumes = 'current';
      this.#fault = undefined;
    } catch (error) {
      this.#retryAt = now + retryMs;
      this.#fault = error instanceof ContainerFault ? error : new ContainerFault('ContainerCreating', problemOf(error));
    }
  }

  #lookup: Lookup = (kind, name) => this.#context.sources.read(kind, this.#pod.metadata.namespace, name);

  #volumeDir(volume: string): string {
    return join(this.#dir, 'volumes', volume);
  }
}
