/**
 * The path at which the API server asks. API servers show no identity, so that the path is what tells them from whoever else
 * reaches the port: it cannot be guessed, is kept in a Secret, and the configuration names it.
 *
 * V1  Every write carries the version that was read: of two controllers one is faster, and the other looks again.
 * V2  A path that is in the Secret is told to the API servers when it was found there a minute ago: by then all controllers know
 *     it, and a rollout has mostly taken away those that know only the fixed one. Where the configuration names none, at once.
 * V3  Until then, and until the look after, what the configuration names is taken: an upgrade, an emptied Secret, and whoever
 *     puts back another path, keep nobody waiting longer than until the next look.
 * V4  Nothing of the path is logged.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { KubeError } from '../../../kubernetes/kube-error.ts';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { KubeObject } from '../../../kubernetes/objects.ts';
import type { Clock } from '../../../model/clock.ts';
import { problemOf } from '../../../model/errors.ts';
import { fieldManagers } from '../../../model/names.ts';
import { pathsIn, readConfiguration, tellPath } from './certificates/configuration.ts';
import { fixedPath } from './listener.ts';

export interface ReviewPathAt {
  readonly namespace: string;
  /** It is made by whoever installs, and may hold other things. */
  readonly secret: string;
  readonly configuration: string;
}

export interface ReviewPathParts {
  readonly kube: Pick<Kube, 'get' | 'patchMerge' | 'apply'>;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  /** 32 bytes that nobody can guess, as base64url. */
  readonly random: () => string;
  /** A new problem, once. */
  readonly onProblem: (problem: string) => void;
}

const file = 'path';
const dataSchema = z.record(z.string(), z.string()).catch({});
const everyMs = 10_000;
const soonMs = 2_000;
/** V2. */
const heardOfMs = 60_000;

export class ReviewPath {
  readonly #at: ReviewPathAt;
  readonly #parts: ReviewPathParts;
  /** V3. */
  #named: readonly string[] = [];
  #taken: readonly string[] = [];
  #found: { readonly path: string; readonly since: number } | undefined;
  #problem: string | undefined;

  constructor(at: ReviewPathAt, parts: ReviewPathParts) {
    this.#at = at;
    this.#parts = parts;
  }

  takes(path: string): boolean {
    const asked = digest(path);
    return this.#taken.some((one) => timingSafeEqual(digest(one), asked));
  }

  /** What is waited for; undefined: it can be asked. */
  get problem(): string | undefined {
    return this.#found === undefined ? (this.#problem ?? 'it was not looked for yet') : undefined;
  }

  /** Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isSettled = await this.look();
      await this.#parts.clock.sleep(isSettled ? everyMs : soonMs, signal).catch(() => undefined);
    }
  }

  /** Never rejects. False: it must be looked at again soon. */
  async look(): Promise<boolean> {
    try {
      await this.#look();
      this.#problem = undefined;
      return true;
    } catch (error) {
      // V1.
      if (error instanceof KubeError && error.isConflict() && !error.isFieldConflict()) return false;
      const problem = problemOf(error);
      if (this.#problem !== problem) this.#parts.onProblem(problem);
      this.#problem = problem;
      return false;
    }
  }

  async #look(): Promise<void> {
    const { kube, clock } = this.#parts;
    const { namespace, secret: name, configuration: of } = this.#at;
    const secret = await kube.get('Secret', name, namespace);
    if (secret === undefined) throw this.#noSecret();
    const path = pathIn(secret) ?? (await this.#make(secret));
    const configuration = await readConfiguration(kube, of);
    const named = configuration === undefined ? [] : pathsIn(configuration);
    const now = clock.now();
    if (this.#found?.path !== path) this.#found = { path, since: now };
    this.#taken = [path, ...named, ...this.#named];
    this.#named = named;
    const isHeardOf = now >= this.#found.since + heardOfMs || named.every((one) => one === '/');
    if (configuration !== undefined && isHeardOf) await tellPath(kube, configuration, path);
  }

  async #make({ metadata: { resourceVersion } }: KubeObject): Promise<string> {
    const { namespace, secret } = this.#at;
    const segment = this.#parts.random();
    const patch = { metadata: { resourceVersion }, data: { [file]: Buffer.from(segment).toString('base64') } };
    const by = { fieldManager: fieldManagers.webhook };
    const written = await this.#parts.kube.patchMerge('Secret', secret, namespace, patch, by);
    if (written === undefined) throw this.#noSecret();
    return pathOf(segment);
  }

  #noSecret(): Error {
    const { namespace, secret } = this.#at;
    return new Error(`there is no Secret "${secret}" in namespace "${namespace}", which the chart makes`);
  }
}

/** What is not long enough to be unguessable, or is no segment, counts as not there. */
function pathIn(secret: KubeObject): string | undefined {
  const segment = Buffer.from(dataSchema.parse(secret['data'] ?? {})[file] ?? '', 'base64').toString('utf8');
  return /^[\w-]{32,128}$/.test(segment) ? pathOf(segment) : undefined;
}

function pathOf(segment: string): string {
  return `${fixedPath}/${segment}`;
}

/** Of equal length, so that the time to compare says nothing. */
function digest(path: string): Buffer {
  return createHash('sha256').update(path).digest();
}
