/**
 * What the controller reports as Kubernetes Events.
 *
 * An Event that cannot be written holds nothing up (EV1, `activities/status/event.ts`): the problem is logged and
 * returned to the caller.
 */
import type { Logger } from 'pino';
import { emitEvent, type EventContent, type EventSource } from '../../activities/status/event.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { PipelineRef } from '../../model/lifecycle.ts';

export interface EventsParts {
  readonly kube: Kube;
  readonly log: Pick<Logger, 'warn'>;
  readonly now: () => number;
}

const source: EventSource = { controller: 'millrace.io/controller', instance: 'controller' };

export class Events {
  readonly #parts: EventsParts;

  constructor(parts: EventsParts) {
    this.#parts = parts;
  }

  /** The same `key` makes one Event. Resolves with what kept it from being written (EV1); undefined: it was written. */
  async emit(pipeline: PipelineRef, content: EventContent, key: string): Promise<string | undefined> {
    const { kube, log, now } = this.#parts;
    const problem = await emitEvent(kube, pipeline, content, { key, at: now(), source });
    if (problem === undefined) return undefined;
    const about = { pipeline: `${pipeline.namespace}/${pipeline.name}`, reason: content.reason, problem };
    log.warn(about, 'what has happened could not be told as an Event');
    return problem;
  }
}
