/**
 * What every worker pod does around its slots: health, metrics, reports, the connection to the source or sink, leases,
 * and an orderly shutdown.
 *
 * Y1  It waits for nats-server and for missing streams: the pod is alive and not ready, and does not exit.
 * Y2  After SIGTERM: no new input; work in flight finishes within the grace time; leases are released; exit code 0.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { identityOf } from '../../model/credentials.ts';
import { MillraceError, mr, problemOf } from '../../model/errors.ts';
import type { Plan, Stage } from '../../model/plan.ts';
import type { Json } from '../../model/value.ts';
import type { ConnectorContext } from '../../connectors/connector.ts';
import { backoffMs, outsideBackoff } from '../../stream/backoff.ts';
import { systemClock } from '../../stream/clock.ts';
import { frameCap, largestRecord, largestTogether } from '../../stream/frame-size.ts';
import { inboxOf } from '../../model/names.ts';
import { connectStreams, type Streams } from '../../stream/connection.ts';
import { isNatsError } from '../../stream/jetstream-errors.ts';
import type { SlotEnd, SlotSignals } from '../../stream/slot-observer.ts';
import { SlotRunner } from '../../stream/slot-runner.ts';
import { readPodConfig, type PodConfig } from './config.ts';
import { podLog } from './log.ts';
import { PodMetrics } from './metrics.ts';
import { OnceConnected } from './once-connected.ts';
import { readPlan, stageOf } from './plan-file.ts';
import { Reporter } from './reporter.ts';
import { hideBeforehand } from '../../connectors/stable-text.ts';
import { Secrets } from './secrets.ts';
import { PodState, type SlotRun } from './state.ts';
import { serveHealth } from '../process/health.ts';
import { tellingNatsTrouble } from '../process/nats-trouble.ts';
import { natsAccess } from '../process/nats.ts';
import { aborted, untilAskedToStop } from '../process/run.ts';

export interface SlotWork<Outside> {
  readonly streams: Streams;
  readonly outside: OnceConnected<Outside & { close(): Promise<void> }>;
  readonly slot: number;
  readonly signals: SlotSignals;
  readonly run: SlotRun;
  readonly log: Logger;
}

export interface PodProgram<Outside> {
  /** Name of the source or sink. */
  readonly name: string;
  readonly edge: string;
  /** Configuration of the source or sink, with references. */
  readonly config: Json;
  /** Turns an error of the outside system into one of the table. */
  readonly named: (error: unknown) => MillraceError;
  /** Connects to the source or sink. Throws MillraceError; it is then called again after a backoff. */
  connect(context: ConnectorContext): Promise<Outside & { close(): Promise<void> }>;
  work(work: SlotWork<Outside>): Promise<SlotEnd>;
}

export interface PodPlan<Kind extends Stage['kind']> {
  readonly config: PodConfig;
  readonly plan: Plan;
  readonly stage: Extract<Stage, { kind: Kind }>;
  /** Values that `readConfig` has read, and that no text of the pod may contain. */
  readonly secrets: Secrets;
}

/** Longer than any request to nats-server may take: if leases were not renewed for this long, something hangs. */
const wedgedMs = 60_000;

/** Runs until SIGTERM or SIGINT, and resolves with the exit code. */
export async function runPod<Kind extends Stage['kind'], Outside>(
  env: NodeJS.ProcessEnv,
  kind: Kind,
  programOf: (pod: PodPlan<Kind>) => PodProgram<Outside>,
): Promise<number> {
  const config = readPodConfig(env);
  const plan = await readPlan(config.planFile);
  const stage = stageOf(plan, kind, config.stage);
  const secrets = new Secrets();
  hideBeforehand((text) => secrets.hide(text));
  const pod = new Pod(config, plan, stage, secrets, programOf({ config, plan, stage, secrets }));
  return untilAskedToStop(pod.log, (stop) => pod.run(stop));
}

class Pod<Outside> {
  readonly #config: PodConfig;
  readonly #plan: Plan;
  readonly #stage: Stage;
  readonly #secrets: Secrets;
  readonly #program: PodProgram<Outside>;
  readonly log: Logger;
  readonly #metrics: PodMetrics;
  readonly #state: PodState;
  #streams: Streams | undefined;
  #runner: SlotRunner | undefined;
  #reporter: Reporter | undefined;

  constructor(config: PodConfig, plan: Plan, stage: Stage, secrets: Secrets, program: PodProgram<Outside>) {
    this.#config = config;
    this.#plan = plan;
    this.#stage = stage;
    this.#secrets = secrets;
    this.#program = program;
    this.log = podLog(config, plan, secrets);
    this.#metrics = new PodMetrics(config, plan);
    const { pid, generation } = plan.pipeline;
    this.#state = new PodState(
      {
        pid,
        generation,
        stage: stage.name,
        kind: stage.kind,
        pod: config.podName,
        name: program.name,
        edge: program.edge,
        slots: stage.slots,
        patienceMs: stage.kind === 'sink' ? stage.batch.maxDelayMs : 0,
      },
      this.#metrics,
      () => systemClock.now(),
      () => this.#reporter?.changed(),
    );
  }

  async run(stop: AbortSignal): Promise<void> {
    const server = await serveHealth({
      listen: { host: this.#config.podIp, port: this.#config.httpPort },
      metrics: this.#metrics.registry,
      notAlive: () => this.#notAlive(),
      notReady: () => this.#notReady(),
      json: { '/positions': () => ({ stage: this.#stage.name, slots: this.#state.positions() }) },
    });
    this.log.info({ port: server.port }, 'started');
    try {
      await this.#serve(stop);
    } finally {
      await server.close();
      this.log.info('stopped');
    }
  }

  async #serve(stop: AbortSignal): Promise<void> {
    const { url, accessDir } = this.#config.nats;
    // While it waits for a server nothing is in flight: asked to stop, the process ends.
    const streams = await connectStreams({
      ...{ url, name: `${this.#stage.name}/${this.#config.podName}`, access: natsAccess(accessDir), signal: stop },
      inboxPrefix: inboxOf(this.#plan.pipeline.pid),
      onTrouble: tellingNatsTrouble(url, this.log),
    });
    this.#streams = streams;
    const outside = new OnceConnected(() => this.#program.connect(this.#context(stop)));
    const reporter = (this.#reporter = new Reporter({
      streams,
      report: () => this.#state.report(),
      hide: (text) => this.#secrets.hide(text),
      clock: systemClock,
      log: this.log,
    }));
    const runner = (this.#runner = this.#newRunner(streams, outside));
    runner.start();
    this.#state.started();
    const connected = this.#keepConnecting(outside, stop);
    await aborted(stop);
    this.log.info('stopping');
    await runner.stop(this.#config.stopGraceMs);
    await connected;
    await outside.close();
    await reporter.stop();
    await streams.nc.close();
  }

  #newRunner(streams: Streams, outside: SlotWork<Outside>['outside']): SlotRunner {
    return new SlotRunner({
      streams,
      pid: this.#plan.pipeline.pid,
      stage: this.#stage.name,
      pod: this.#config.podName,
      run: `${String(systemClock.now()).padStart(15, '0')}-${randomUUID()}`,
      slots: this.#stage.slots,
      clock: systemClock,
      random: Math.random,
      onOwned: (slot, owned, why) => {
        if (owned) this.log.info({ slot }, 'slot acquired');
        else this.log.info({ slot, why }, 'slot given up');
        if (owned) this.#state.own(slot);
        else this.#state.disown(slot);
      },
      onFailure: (slot, error) => this.#failed(slot, error),
      work: async (slot, signals, gotOn) => {
        const log = this.log.child({ slot });
        const run = this.#state.begin(slot, gotOn);
        const end = await this.#program.work({ streams, outside, slot, signals, log, run });
        // A slot whose source has ended has no backlog.
        if (end === 'ended') run.lagIs(() => 0);
        log.info({ end }, 'slot ended');
        return end;
      },
    });
  }

  #failed(slot: number | undefined, error: unknown): void {
    if (slot === undefined) {
      this.log.debug({ err: error }, 'leases not renewed');
      return;
    }
    const known = this.#faultOf(slot, error);
    this.log.error({ slot, code: known.code, err: error }, 'slot failed');
    this.#state.failed(slot, known);
  }

  /** Classifies an error: one of the table, a failure of NATS, or a defect of Millrace. */
  #faultOf(slot: number, error: unknown): MillraceError {
    if (error instanceof MillraceError) return error;
    const problem = problemOf(error);
    return isNatsError(error)
      ? mr('MR_STREAM_UNAVAILABLE', { server: this.#streams?.nc.getServer() ?? 'NATS', problem }, { cause: error })
      : mr('MR_WORKER_FAILED', { slot, stage: this.#stage.name, problem }, { cause: error });
  }

  /** Connects at once, not at the first slot: a pod without slots must also know whether it could work. */
  async #keepConnecting(outside: SlotWork<Outside>['outside'], stop: AbortSignal): Promise<void> {
    for (let attempt = 0; !stop.aborted; attempt++) {
      try {
        await outside.get();
        this.#state.connection(undefined);
        return;
      } catch (error) {
        const known = this.#program.named(error);
        this.#state.connection(known);
        if (known !== error) this.log.error({ code: known.code, err: error }, 'connecting failed');
        await systemClock.sleep(backoffMs(outsideBackoff, attempt, Math.random), stop).catch(() => undefined);
      }
    }
  }

  #context(stop: AbortSignal): ConnectorContext {
    const { name, namespace, uid, pid } = this.#plan.pipeline;
    return {
      name: this.#program.name,
      pipeline: { name, namespace, uid, pid },
      identity: identityOf(this.#program.config),
      log: this.log,
      clock: systemClock,
      bindAddress: this.#config.podIp,
      maxRecordBytes: () => largestRecord(this.#frameCap),
      maxTogetherBytes: (records) => largestTogether(this.#frameCap, records),
      waitsFor: () => {
        const reason = this.#state.waitsFor();
        return reason === undefined ? undefined : this.#secrets.hide(reason.sentence);
      },
      signal: stop,
    };
  }

  get #frameCap(): number {
    return frameCap({ maxPayload: this.#streams?.maxPayload });
  }

  /**
   * Why the pod is not alive: leases are not renewed. (A blocked event loop does not answer at all.) Undefined: alive.
   */
  #notAlive(): string | undefined {
    const silentMs = this.#runner?.silentMs ?? 0;
    return silentMs > wedgedMs ? `leases were not looked after for ${Math.round(silentMs / 1_000)} s` : undefined;
  }

  /**
   * Undefined (ready) once the stage has started and while nats-server is connected, whether or not the source or sink
   * answers: an outage outside must not make pods unready; conditions report it.
   */
  #notReady(): string | undefined {
    const isConnected = this.#streams?.link.connected ?? false;
    this.#metrics.natsConnected.set(isConnected ? 1 : 0);
    return isConnected && this.#runner !== undefined ? undefined : 'nats-server is not connected';
  }
}
