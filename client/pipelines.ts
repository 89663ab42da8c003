/** Pipelines by the REST API. */
import { setTimeout as delay } from 'node:timers/promises';
import type { PipelineDefinition } from './define.ts';
import type { Ask } from './http.ts';
import { settledAt, type Settled, type StillState } from './settled.ts';
import {
  changeSchema,
  decidedSchema,
  lintReportSchema,
  operationSchema,
  storedPipeline,
  storedPipelines,
  type Change,
  type Decided,
  type Decision,
  type LintReport,
  type Operation,
  type StoredPipeline,
} from './wire.ts';

export interface Name {
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string | undefined;
}

export interface ListQuery {
  /** Default `default`. */
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  /** As kubectl takes it: `team=shop`. */
  readonly labelSelector?: string;
}

export interface WaitOptions {
  /** Default: the generation that the pipeline has when the waiting begins. */
  readonly generation?: number;
  /** After a pause or a stop: the state is what is waited for, whether or not the spec that asks for it is valid. */
  readonly still?: StillState;
  /** Default 300,000 ms. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called at each look. */
  readonly onLook?: (pipeline: StoredPipeline) => void;
}

/** The pipeline did not become ready: refused, or not in time. `settled` says why. */
export class NotSettled extends Error {
  override readonly name = 'NotSettled';
  readonly settled: Settled;

  constructor(name: string, settled: Settled) {
    super(`pipeline "${name}" is not ready (${settled.reason}): ${settled.message}`);
    this.settled = settled;
  }
}

const lookEveryMs = 250;

export class Pipelines {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Creates or changes it. Repeating it changes nothing; `operation` is null then. */
  apply({ metadata, ...rest }: PipelineDefinition): Promise<Change> {
    return this.#ask({ method: 'PUT', path: pathOf(metadata), body: { metadata, ...rest }, answer: changeSchema });
  }

  get(at: Name): Promise<StoredPipeline> {
    return this.#ask({ method: 'GET', path: pathOf(at), answer: storedPipeline });
  }

  /** Every pipeline of a namespace, `default` unless said, or of all namespaces; asked for page by page. */
  async *list(query: ListQuery = {}): AsyncGenerator<StoredPipeline> {
    const path = query.allNamespaces === true ? '/v1/pipelines' : collectionOf(query.namespace);
    let next: string | undefined;
    do {
      const page = await this.#ask({
        method: 'GET',
        path,
        query: { labelSelector: query.labelSelector, continue: next },
        answer: storedPipelines,
      });
      yield* page.items;
      next = page.continue;
    } while (next !== undefined);
  }

  /** Stops moving records at once and keeps everything. */
  pause(at: Name): Promise<Change> {
    return this.#ask({ method: 'POST', path: `${pathOf(at)}/pause`, answer: changeSchema });
  }

  /** Goes on from where it was paused or stopped. */
  resume(at: Name): Promise<Change> {
    return this.#ask({ method: 'POST', path: `${pathOf(at)}/resume`, answer: changeSchema });
  }

  /** Stops the sources, drains what was taken in, then stops the sinks. */
  stop(at: Name): Promise<Change> {
    return this.#ask({ method: 'POST', path: `${pathOf(at)}/stop`, answer: changeSchema });
  }

  /** Tries again what failed, without a change. Refused while an operation runs, and when nothing failed. */
  retry(at: Name): Promise<Change> {
    return this.#ask({ method: 'POST', path: `${pathOf(at)}/retry`, answer: changeSchema });
  }

  /** Says how to go on where the status asks for it. Repeated with the same `requestId` it is one decision. */
  decide(at: Name, decision: Decision, { requestId }: { requestId?: string } = {}): Promise<Decided> {
    return this.#ask({
      method: 'POST',
      path: `${pathOf(at)}/decide`,
      body: decision,
      answer: decidedSchema,
      ...(requestId === undefined ? {} : { headers: { 'idempotency-key': requestId } }),
    });
  }

  delete(at: Name, { force = false }: { force?: boolean } = {}): Promise<Change> {
    return this.#ask({
      method: 'DELETE',
      path: pathOf(at),
      query: force ? { force: 'true' } : {},
      answer: changeSchema,
    });
  }

  /** What an announced change does now. */
  operation({ href }: Pick<Operation, 'href'>): Promise<Operation> {
    return this.#ask({ method: 'GET', path: href, answer: operationSchema });
  }

  /** Checks YAML or JSON text without applying it. */
  lint(text: string): Promise<LintReport> {
    return this.#ask({ method: 'POST', path: '/v1/lint', body: text, answer: lintReportSchema });
  }

  /** Resolves once the generation is carried out and the pipeline is Ready. Throws {@link NotSettled}. */
  async waitReady(at: Name, options: WaitOptions = {}): Promise<StoredPipeline> {
    const { timeoutMs = 300_000, signal, still, onLook } = options;
    const deadline = Date.now() + timeoutMs;
    let { generation } = options;
    for (;;) {
      const pipeline = await this.get(at);
      onLook?.(pipeline);
      generation ??= pipeline.metadata.generation ?? 0;
      const settled = settledAt(pipeline.status, generation, still);
      if (settled.is === 'ready') return pipeline;
      if (settled.is === 'refused' || Date.now() >= deadline) throw new NotSettled(at.name, settled);
      await delay(lookEveryMs, undefined, signal === undefined ? {} : { signal });
    }
  }
}

function collectionOf(namespace = 'default'): string {
  return `/v1/namespaces/${encodeURIComponent(namespace)}/pipelines`;
}

function pathOf({ name, namespace }: Name): string {
  return `${collectionOf(namespace)}/${encodeURIComponent(name)}`;
}
