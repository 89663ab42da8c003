/**
 * Publishes the pod's report: soon after its state has changed, and every 10 s. Changes at the same time share one
 * report. An orderly shutdown withdraws the report.
 *
 * It checks the state once a second: a wait, or a write without an answer, becomes worth a report just by lasting.
 */
import type { Logger } from 'pino';
import type { Clock } from '../../model/clock.ts';
import type { Streams } from '../../stream/connection.ts';
import { publishPodReport, withdrawPodReport, type PodReport } from '../../stream/pod-report.ts';

export interface ReporterOptions {
  readonly streams: Streams;
  readonly report: () => PodReport;
  /** A text without the values of Secrets (`./secrets.ts`, S1). */
  readonly hide: (text: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
}

const settleMs = 100;
const lookMs = 1_000;
const everyMs = 10_000;

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #wake: (() => void) | undefined;
  #hasChanged = false;
  #told = '';
  #toldAt = -Infinity;
  #logged = '';

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#ended = this.#run();
  }

  /** Call it at every change; it is cheap. */
  changed(): void {
    this.#hasChanged = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    const { streams, report, log } = this.#options;
    this.#stop.abort();
    this.#wake?.();
    await this.#ended;
    await withdrawPodReport(streams, report()).catch((error: unknown) => {
      log.debug({ err: error }, 'report not withdrawn');
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#tellNews();
      await this.#pause();
      // Changes at the same time share one report.
      await clock.sleep(settleMs, signal).catch(() => undefined);
    }
  }

  /** Resolves when the state may have changed. */
  async #pause(): Promise<void> {
    if (this.#hasChanged || this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(lookMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }

  async #tellNews(): Promise<void> {
    const { streams, report: read, hide, clock, log } = this.#options;
    this.#hasChanged = false;
    const report = withoutSecrets(read(), hide);
    this.#logChange(report);
    const news = newsIn(report);
    const now = clock.monotonic();
    if (news === this.#told && now - this.#toldAt < everyMs) return;
    this.#told = news;
    this.#toldAt = now;
    await publishPodReport(streams, report).catch((error: unknown) => {
      // Sent again at the next check: NATS may be unreachable.
      this.#told = '';
      log.debug({ err: error }, 'report not sent');
    });
  }

  #logChange({ connection, flow }: PodReport): void {
    const state = `${connection.state} ${connection.code ?? ''} ${flow.state === 'Idle' ? 'Flowing' : flow.state} ${flow.code ?? ''}`;
    if (state === this.#logged) return;
    this.#logged = state;
    const code = connection.code ?? flow.code;
    const isTrouble = connection.state === 'Disconnected' || flow.state === 'Waiting';
    this.#options.log[isTrouble ? 'warn' : 'info'](
      { ...(code === undefined ? {} : { code }), connection, flow },
      connection.message ?? flow.message ?? `${connection.state}, ${flow.state}`,
    );
  }
}

function withoutSecrets(report: PodReport, hide: (text: string) => string): PodReport {
  const { connection, flow } = report;
  return { ...report, connection: told(connection), flow: told(flow) };

  function told<T extends { readonly message?: string | undefined }>(state: T): T {
    return state.message === undefined ? state : { ...state, message: hide(state.message) };
  }
}

/** The parts whose change is reported at once. Counters and positions wait for the next report. */
function newsIn({ connection, flow, deadLetters, slots, lag = 0 }: PodReport): string {
  const owned = slots.map(({ slot }) => slot);
  // Under load the lag alternates between 0 and more; a change matters only for an idle pod.
  const isLate = flow.state === 'Idle' && lag > 0;
  return JSON.stringify([connection, flow, deadLetters, owned, isLate]);
}
