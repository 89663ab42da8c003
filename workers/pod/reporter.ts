/**
 * Publishes the pod's report: soon after its state changed, and every 10 s. Changes that come together make one report.
 * When the pod ends in order, its report is withdrawn.
 */
import type { Logger } from 'pino';
import type { Streams } from '../../stream/connection.ts';
import { publishPodReport, withdrawPodReport, type PodReport } from '../../stream/pod-report.ts';

const settleMs = 100;
const everyMs = 10_000;

export class Reporter {
  readonly #streams: Streams;
  readonly #report: () => PodReport;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #isSoon = false;
  #sending: Promise<void> = Promise.resolve();
  #lastState = '';
  #stopped = false;

  constructor(streams: Streams, report: () => PodReport, log: Logger) {
    this.#streams = streams;
    this.#report = report;
    this.#log = log;
    this.#plan(0);
  }

  /** Something changed. Cheap: call it as often as it does. */
  changed(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    this.#plan(settleMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#sending;
    await withdrawPodReport(this.#streams, this.#report()).catch((error: unknown) => {
      this.#log.debug({ err: error }, 'report not withdrawn');
    });
  }

  #plan(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#send(), ms);
  }

  #send(): void {
    this.#isSoon = false;
    const report = this.#report();
    this.#logChange(report);
    this.#sending = publishPodReport(this.#streams, report).catch((error: unknown) => {
      this.#log.debug({ err: error }, 'report not sent');
    });
    void this.#sending.then(() => this.#plan(this.#isSoon ? settleMs : everyMs));
  }

  #logChange({ connection, flow }: PodReport): void {
    const state = `${connection.state} ${connection.code ?? ''} ${flow.state === 'Idle' ? 'Flowing' : flow.state} ${flow.code ?? ''}`;
    if (state === this.#lastState) return;
    this.#lastState = state;
    const isTrouble = connection.state === 'Disconnected' || flow.state === 'Waiting';
    this.#log[isTrouble ? 'warn' : 'info'](
      { connection, flow },
      connection.message ?? flow.message ?? `${connection.state}, ${flow.state}`,
    );
  }
}
