/**
 * The probes of one container run.
 *
 * R1  Liveness and readiness wait until the startup probe has succeeded.
 * R2  A liveness or startup probe that has failed finally ends the run: `onUnhealthy` is called once.
 * R3  Each probe has at most one attempt in flight; the next is due `periodSeconds` after the last one was.
 */
import { afterResult, initialProbeState, type ProbeKind, type ProbeState } from './probe-state.ts';
import { runProbe, type ProbeTarget } from './probe-action.ts';
import type { Probe } from './pod.ts';

export interface ProberEvents {
  /** Readiness or startup has changed. */
  readonly onChange: () => void;
  readonly onFailure: (kind: ProbeKind, problem: string) => void;
  readonly onUnhealthy: (kind: ProbeKind, probe: Probe) => void;
}

export class Prober {
  readonly #target: ProbeTarget;
  readonly #events: ProberEvents;
  readonly #startedAt: number;
  readonly #states = new Map<ProbeKind, ProbeState>();
  readonly #timers = new Map<ProbeKind, NodeJS.Timeout>();
  #isStopped = false;

  /** `before`: the state of this run when the node stopped watching it. */
  constructor(
    target: ProbeTarget,
    startedAt: number,
    before: { readonly isStarted: boolean; readonly isReady: boolean } | undefined,
    events: ProberEvents,
  ) {
    this.#target = target;
    this.#events = events;
    this.#startedAt = startedAt;
    for (const kind of ['liveness', 'readiness', 'startup'] as const) {
      if (this.#probe(kind)) this.#states.set(kind, initialProbeState(kind));
    }
    if (before?.isReady && this.#states.has('readiness')) {
      this.#states.set('readiness', { ...initialProbeState('readiness'), verdict: 'success' });
    }
    if (before?.isStarted) this.#states.delete('startup');
    if (this.#states.has('startup')) this.#schedule('startup');
    else this.#scheduleOthers();
  }

  get isStarted(): boolean {
    return (this.#states.get('startup')?.verdict ?? 'success') === 'success';
  }

  get isReady(): boolean {
    return this.isStarted && (this.#states.get('readiness')?.verdict ?? 'success') === 'success';
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #probe(kind: ProbeKind): Probe | undefined {
    const { livenessProbe, readinessProbe, startupProbe } = this.#target.container;
    return { liveness: livenessProbe, readiness: readinessProbe, startup: startupProbe }[kind];
  }

  /** R1. */
  #scheduleOthers(): void {
    this.#schedule('liveness');
    this.#schedule('readiness');
  }

  #schedule(kind: ProbeKind): void {
    const probe = this.#probe(kind);
    if (!probe || this.#isStopped) return;
    const due = Math.max(Date.now(), this.#startedAt + probe.initialDelaySeconds * 1000);
    this.#at(kind, probe, due);
  }

  #at(kind: ProbeKind, probe: Probe, due: number): void {
    const wait = Math.max(0, due - Date.now());
    this.#timers.set(
      kind,
      setTimeout(() => void this.#attempt(kind, probe, due), wait),
    );
  }

  async #attempt(kind: ProbeKind, probe: Probe, due: number): Promise<void> {
    const outcome = await runProbe(probe, this.#target);
    const before = this.#states.get(kind);
    if (this.#isStopped || !before) return;
    if (outcome.result === 'failure') this.#events.onFailure(kind, outcome.problem);
    const after = afterResult(before, outcome.result, probe);
    this.#states.set(kind, after);
    if (kind !== 'readiness' && after.verdict === 'failure') {
      this.stop();
      this.#events.onUnhealthy(kind, probe);
      return;
    }
    if (after.verdict !== before.verdict) this.#events.onChange();
    if (kind === 'startup' && after.verdict === 'success') {
      this.#scheduleOthers();
      return;
    }
    this.#at(kind, probe, Math.max(due + probe.periodSeconds * 1000, Date.now()));
  }
}
