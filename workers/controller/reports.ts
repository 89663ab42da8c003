/**
 * The last report of every pod, as it arrives by a plain subscription, kept in the record of its pipeline.
 *
 * R1  A report that repeats the previous one costs a comparison of bytes: each idle pod repeats its report every ten
 *     seconds.
 * R2  Reports about unknown pipelines are not kept.
 * R3  A report expires only while this controller receives reports (F1).
 */
import { jsonOrNothing } from '../../model/json-or-nothing.ts';
import { isFarewell, podReportSchema } from '../../stream/pod-report.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';
import { Ear } from './hearing.ts';
import type { PipelineCache } from './pipeline-cache.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import { liveMs, type Heard } from './stage-fact.ts';

export class Reports {
  readonly ear: Ear;
  readonly #cache: PipelineCache;
  readonly #now: () => number;
  readonly #onNews: (record: PipelineRecord) => void;
  #streams: Pick<JetStreamPort, 'link' | 'subscribe'> | undefined;
  #unsubscribe: (() => void) | undefined;

  /** `onNews`: the report of a pod of this pipeline has changed, or the pod has gone. */
  constructor(cache: PipelineCache, now: () => number, onNews: (record: PipelineRecord) => void) {
    this.#cache = cache;
    this.#now = now;
    this.#onNews = onNews;
    this.ear = new Ear(now, liveMs);
  }

  follow(streams: Pick<JetStreamPort, 'link' | 'subscribe'>): void {
    this.#streams = streams;
    this.ear.note(true);
    streams.link.onReconnect(() => this.ear.note(true, true));
    this.#unsubscribe = streams.subscribe('mr-report.>', ({ subject, data }) => this.#hear(subject, data));
  }

  /** Called regularly, because a lost connection raises no event. */
  listen(): void {
    if (this.#streams !== undefined) this.ear.note(this.#streams.link.connected);
  }

  /** Reports that have not expired (R3). */
  live({ heard }: PipelineRecord): readonly Heard[] {
    if (this.ear.hearing === 'steady') {
      const since = this.#now() - liveMs;
      for (const [pod, { at }] of heard) if (at <= since) heard.delete(pod);
    }
    return [...heard.values()];
  }

  /** When a report expires that is not repeated before; Infinity: there is none. */
  silentAt({ heard }: PipelineRecord): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { at } of heard.values()) oldest = Math.min(oldest, at);
    return oldest + liveMs;
  }

  close(): void {
    this.#unsubscribe?.();
  }

  #hear(subject: string, data: Uint8Array): void {
    const [, pid = '', stage = '', pod = ''] = subject.split('.');
    const record = this.#cache.byPid(pid);
    if (record === undefined) return;
    const before = record.heard.get(pod);
    if (isFarewell(data)) {
      if (!record.heard.delete(pod)) return;
      record.leftAt.set(stage, this.#now());
      this.#onNews(record);
      return;
    }
    const now = this.#now();
    if (before !== undefined && saysTheSame(data, before.bytes)) {
      before.at = now;
      return;
    }
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    // Anybody may publish on NATS: messages that are not reports are ignored.
    const parsed = podReportSchema.safeParse(jsonOrNothing(text.toString('utf8')));
    if (!parsed.success) return;
    const end = text.lastIndexOf('"at":');
    // A copy: the message is a view of the socket's buffer, which would stay in memory as a whole.
    const bytes = new Uint8Array(end > 0 ? text.subarray(0, end) : text);
    record.heard.set(pod, { report: parsed.data, firstAt: now, at: now, bytes });
    this.#onNews(record);
  }
}

/** R1. Only the number after the last `"at":` may differ from the known bytes. */
function saysTheSame(data: Uint8Array, known: Uint8Array): boolean {
  if (data.length < known.length || data.length > known.length + 24) return false;
  return Buffer.compare(data.subarray(0, known.length), known) === 0;
}
