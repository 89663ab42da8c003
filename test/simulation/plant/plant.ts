/** Everything of one run in one place: the world, the server, the systems outside, the pods, and who watches them. */
import { deadEdge, commitsEdge, edgeStream, leaseStream } from '../../../model/names.ts';
import type { IngestorStage, Plan, SinkStage } from '../../../model/plan.ts';
import type { Position } from '../../../stream/record-batch.ts';
import type { SinkSlotPort } from '../../../stream/sink-port.ts';
import type { SourceLossPort, SourceReaderPort } from '../../../stream/source-port.ts';
import { Ledger } from '../check/ledger.ts';
import { Violation } from '../check/violation.ts';
import { mostKeys } from '../check/keys.ts';
import { Losses } from '../check/losses.ts';
import { Witness } from '../check/witness.ts';
import { Connection } from '../jetstream/connection.ts';
import { Server } from '../jetstream/server.ts';
import { Faults } from '../kernel/faults.ts';
import type { Machine } from '../kernel/machine.ts';
import { Random } from '../kernel/random.ts';
import { World } from '../kernel/world.ts';
import { BlockSlot, BlockTable } from '../outside/clickhouse.ts';
import { HttpService } from '../outside/http.ts';
import { PositionedSlot, PositionedTable } from '../outside/postgres.ts';
import { Remote } from '../outside/remote.ts';
import { Topic, TopicReader } from '../outside/topic.ts';
import type { SimRows } from '../outside/rows.ts';
import { Cluster } from './cluster.ts';
import { Lifecycle } from './lifecycle.ts';
import type { Pod } from './pod.ts';
import type { Scenario } from './scenario.ts';
import { planOf, type Shape } from './shape.ts';

const maxPayload = 160 * 1024;

export class Plant {
  readonly scenario: Scenario;
  readonly world: World;
  readonly server: Server;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly losses = new Losses();
  readonly cluster: Cluster;
  readonly witness: Witness;
  readonly lifecycle: Lifecycle;
  readonly topics = new Map<string, Topic>();
  readonly services = new Map<string, HttpService>();
  readonly tables = new Map<string, BlockTable | PositionedTable>();
  readonly remotes = new Map<string, Remote>();
  readonly plans = new Map<number, Plan>();
  readonly pid: string;
  /** About which a person has decided. */
  readonly decidedStages = new Set<string>();
  readonly #log: ((line: string) => void) | undefined;
  readonly #startedAt: number;
  readonly #begun = new Set<string>();
  readonly #givenUp = new Set<string>();

  constructor(scenario: Scenario, log?: (line: string) => void) {
    this.scenario = scenario;
    this.#log = log;
    this.world = new World(new Random(scenario.seed).fork('run'));
    this.#startedAt = this.world.now;
    this.faults = new Faults(this.world, scenario.traps, (text) => this.say(text));
    const fail = (violation: Error) => this.world.fail(violation);
    this.ledger = new Ledger(fail);
    const plan = this.addShape(scenario.first);
    this.pid = plan.pipeline.pid;
    this.cluster = new Cluster(this);
    this.witness = new Witness({
      pid: this.pid,
      ledger: this.ledger,
      isGivenUp: (stage) => this.isGivenUp(stage),
      isDecided: (stage) => this.decidedStages.has(stage),
      mostKeys: mostKeys(scenario.fixed),
      writers: () => Math.max(...this.#plansAtWork().map(writersIn)),
      onViolation: fail,
    });
    // Mostly as it is; now and then a copy that is busy catching up.
    const maxLagMs = this.world.random.fork('lag').pick([400, 400, 6_000]);
    this.server = new Server(this.world, { maxPayload, url: 'nats://nats:4222', maxLagMs }, this.witness);
    this.lifecycle = new Lifecycle(this, scenario.first);
  }

  /** What is wanted, and what its pods were started with. */
  #plansAtWork(): Plan[] {
    const wanted = this.plans.get(this.lifecycle.resource.generation);
    return [...this.cluster.pods.map(({ plan }) => plan), ...(wanted === undefined ? [] : [wanted])];
  }

  /** Seconds since the start of the run. */
  say(text: string): void {
    this.#log?.(`${((this.world.now - this.#startedAt) / 1_000).toFixed(3).padStart(8)} ${text}`);
  }

  addShape(shape: Shape): Plan {
    const { fixed, partitions, window, hasViews: hasView } = this.scenario;
    const plan = planOf(shape, fixed);
    this.ledger.shapes.set(shape.generation, shape);
    this.plans.set(shape.generation, plan);
    for (const { name, system } of shape.sources) {
      if (this.remotes.has(name)) continue;
      this.remotes.set(name, new Remote(name, this.world, this.faults));
      if (system === 'kafka') this.topics.set(name, new Topic(name, partitions));
      else this.services.set(name, new HttpService(plan.pipeline.pid, name, this.world, this.ledger));
    }
    for (const { name, system } of shape.sinks) {
      if (this.remotes.has(name)) continue;
      const remote = new Remote(name, this.world, this.faults);
      this.remotes.set(name, remote);
      this.tables.set(
        name,
        system === 'clickhouse'
          ? new BlockTable(name, { window, hasView }, remote, this.ledger)
          : new PositionedTable(name, remote, this.ledger),
      );
    }
    return plan;
  }

  /** Once. */
  isGivenUp(stage: string): boolean {
    return this.#givenUp.has(stage);
  }

  /** Stages go at once, with what they have not read or written, or what of theirs was not. */
  giveUp(stages: readonly string[]): void {
    const generation = Math.max(...this.plans.keys());
    for (const stage of stages) {
      this.#givenUp.add(stage);
      this.ledger.giveUp(stage, generation);
    }
  }

  takenOff(sink: string): void {
    const table = this.tables.get(sink);
    if (table instanceof PositionedTable) table.takenOff();
  }

  connect(machine: Machine): Connection {
    return new Connection(machine, this.server, {
      faults: this.faults,
      callOf: (subject, data) => this.#callOf(subject, data, machine),
    });
  }

  skewOf(name: string): number {
    return this.world.random.fork(`skew ${name}`).whole(-500, 500);
  }

  openReader(
    { stage, slot, losses }: { readonly stage: IngestorStage; readonly slot: number; readonly losses: SourceLossPort },
    position: Position | undefined,
    pod: Pod,
  ): Promise<SourceReaderPort> {
    const topic = this.topics.get(stage.source);
    if (topic === undefined) {
      return Promise.resolve(this.services.get(stage.source)!.openReader(slot, position, pod.machine));
    }
    const share = { slot, slots: stage.slots, maxRecords: 10 };
    return Promise.resolve(
      new TopicReader(topic, this.remotes.get(stage.source)!, pod.machine, share, position, {
        acknowledged: (ids) => ids.forEach((id) => this.ledger.acknowledge(id)),
        givenUp: (inputs) => inputs.forEach((input) => (input.mayBeMissing = true)),
        losses,
      }),
    );
  }

  openSink(stage: SinkStage, slot: number, machine: Machine): Promise<SinkSlotPort<SimRows>> {
    const table = this.tables.get(stage.sink);
    if (table instanceof BlockTable) return Promise.resolve(new BlockSlot(table, machine));
    if (table instanceof PositionedTable)
      return Promise.resolve(new PositionedSlot(table, machine, `${stage.name}.${slot}`));
    throw new TypeError(`there is no table ${stage.sink}`);
  }

  /** K5, I12: a machine that was told to stop announces no new batch. One that an earlier owner left open it may finish. */
  #checkBegun(machine: Machine, token: string): void {
    if (machine.stopping && !this.#begun.has(token)) {
      this.world.fail(new Violation('I12', `${machine.name} begins a write after it was told to stop: ${token}`));
    }
    this.#begun.add(token);
  }

  streamOf(what: 'edge' | 'commits' | 'dead' | 'leases'): string {
    if (what === 'leases') return leaseStream;
    const edge = what === 'edge' ? this.plans.get(1)!.edges[0]!.name : what === 'commits' ? commitsEdge : deadEdge;
    return edgeStream(this.pid, edge);
  }

  #callOf(subject: string, data: Uint8Array, machine: Machine): string {
    const [first, , edge = ''] = subject.split('.');
    if (first === 'mr-lease') return 'lease';
    if (first === 'mr-report') return 'report';
    if (edge === deadEdge) return 'dead';
    if (edge !== commitsEdge) return 'edge';
    if (!/\.commits\.sink-[^.]*\.\d+$/.test(subject)) return `commits: ${subject.split('.')[3] ?? ''}`;
    // What is in it is looked at by the witness.
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
    const { kind, token = '' } = JSON.parse(text) as { kind: string; token?: string };
    if (kind === 'intent') this.#checkBegun(machine, token);
    return `commits: ${kind}`;
  }
}

function writersIn({ stages }: Plan): number {
  return stages.reduce((sum, stage) => sum + (stage.kind === 'ingestor' ? stage.slots : 0), 0);
}
