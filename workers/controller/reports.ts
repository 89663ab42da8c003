/**
 * The last report of every pod, as it arrives.
 *
 * Reports come by a plain subscription; the stream is read once a pipeline, for those that were sent before.
 */
import { isFarewell, podReportSchema, readPodReports, type PodReport } from '../../stream/pod-report.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';

/** A pod reports every 10 s: after three silences it counts as gone. */
export const liveMs = 30_000;

interface Received {
  readonly report: PodReport;
  readonly at: number;
}

export class Reports {
  readonly #byPipeline = new Map<string, Map<string, Received>>();
  readonly #now: () => number;
  #unsubscribe: () => void = () => undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `onReport` gets the pid. */
  follow(streams: JetStreamPort, onReport: (pid: string) => void): void {
    this.#unsubscribe = streams.subscribe('mr-report.>', ({ subject, data }) => {
      const [, pid = '', , pod = ''] = subject.split('.');
      if (isFarewell(data)) {
        this.#byPipeline.get(pid)?.delete(pod);
        onReport(pid);
        return;
      }
      const parsed = podReportSchema.safeParse(parseJson(Buffer.from(data).toString('utf8')));
      if (!parsed.success) return;
      this.#keep(parsed.data, this.#now());
      onReport(parsed.data.pid);
    });
  }

  async readStored(streams: JetStreamPort, pid: string): Promise<void> {
    for (const report of await readPodReports(streams, pid)) {
      const known = this.#byPipeline.get(pid)?.get(report.pod);
      if (known === undefined || known.report.at < report.at) this.#keep(report, report.at);
    }
  }

  /** Of pods that spoke lately (F1). */
  live(pid: string): PodReport[] {
    const reports = this.#byPipeline.get(pid);
    if (reports === undefined) return [];
    const since = this.#now() - liveMs;
    for (const [pod, { at }] of reports) if (at < since) reports.delete(pod);
    return [...reports.values()].map(({ report }) => report);
  }

  forget(pid: string): void {
    this.#byPipeline.delete(pid);
  }

  close(): void {
    this.#unsubscribe();
  }

  #keep(report: PodReport, at: number): void {
    const reports = this.#byPipeline.get(report.pid) ?? new Map<string, Received>();
    reports.set(report.pod, { report, at });
    this.#byPipeline.set(report.pid, reports);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not a report: anybody may publish on NATS.
    return undefined;
  }
}
