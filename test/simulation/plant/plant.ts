/**
 * Everything of one pipeline in one place: the world, the server, the systems outside, the pods, and who watches them.
 * One that is made again after it was deleted is another, at the same {@link Site}.
 */
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
import type { Server } from '../jetstream/server.ts';
import type { Faults } from '../kernel/faults.ts';
import type { Machine } from '../kernel/machine.ts';
import type { World } from '../kernel/world.ts';
import { BlockSlot, BlockTable } from '../outside/clickhouse.ts';
import { HttpService } from '../outside/http.ts';
import { PositionedSlot, PositionedTable } from '../outside/postgres.ts';
import type { Remote } from '../outside/remote.ts';
import { TopicReader, type Topic } from '../outside/topic.ts';
import type { SimRows } from '../outside/rows.ts';
import { Cluster } from './cluster.ts';
import { Lifecycle } from './lifecycle.ts';
import type { Pod } from './pod.ts';
import type { Scenario } from './scenario.ts';
import { planOf, type Fixed, type Shape } from './shape.ts';
import { Site } from './site.ts';

export class Plant {
  readonly scenario: Scenario;
  readonly fixed: Fixed;
  readonly site: Site;
  readonly world: World;
  readonly server: Server;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly losses = new Losses();
  readonly cluster: Cluster;
  readonly witness: Witness;
  readonly lifecycle: Lifecycle;
  readonly topics: ReadonlyMap<string, Topic>;
  readonly services = new Map<string, HttpService>();
  readonly tables: ReadonlyMap<string, BlockTable | PositionedTable>;
  readonly remotes: ReadonlyMap<string, Remote>;
  readonly plans = new Map<number, Plan>();
  readonly pid: string;
  /** About which a person has decided. */
  readonly decidedStages = new Set<string>();
  /** It was deleted, and its streams go. */
  hasDeparted = false;
  /** It was deleted, and one of its name is to come. */
  comesAgain = false;
  /** Of its name, and made when it was gone. */
  successor: Plant | undefined;
  readonly #log: ((line: string) => void) | undefined;
  readonly #startedAt: number;
  readonly #firstPlace: number;
  readonly #begun = new Set<string>();
  readonly #givenUp = new Set<string>();

  /** `before`: the pipeline whose name it has. */
  constructor(scenario: Scenario, log?: (line: string) => void, before?: Plant) {
    this.scenario = scenario;
    this.#log = log;
    this.site = before?.site ?? new Site(scenario, (text) => this.say(text));
    const { world, server, faults, topics, tables, remotes } = this.site;
    this.world = world;
    this.server = server;
    this.faults = faults;
    this.topics = topics;
    this.tables = tables;
    this.remotes = remotes;
    this.#firstPlace = before?.nextPlace ?? 0;
    this.#startedAt = before === undefined ? world.now : before.#startedAt;
    const uid = before === undefined ? scenario.fixed.uid : `${before.fixed.uid}-again`;
    this.fixed = { ...scenario.fixed, uid };
    const fail = (violation: Error) => world.fail(violation);
    this.ledger = new Ledger(fail);
    const first: Shape =
      before === undefined
        ? scenario.first
        : { ...before.lifecycle.resource, generation: 1, desiredState: 'Running', deletionPolicy: 'Drain' };
    const plan = this.addShape(first);
    this.pid = plan.pipeline.pid;
    this.cluster = new Cluster(this, before?.cluster);
    this.witness = new Witness({
      pid: this.pid,
      ledger: this.ledger,
      isGivenUp: (stage) => this.isGivenUp(stage),
      isIn: (stage, plan) => this.plans.get(plan)?.stages.some(({ name }) => name === stage) ?? true,
      isDecided: (stage) => this.decidedStages.has(stage),
      mostKeys: mostKeys(scenario.fixed),
      writers: () => Math.max(...this.#plansAtWork().map(writersIn)),
      onViolation: fail,
    });
    this.site.witnesses.add(this.witness);
    this.lifecycle = new Lifecycle(this, first, before?.lifecycle);
  }

  /** Of the next input, in the order in which they come. */
  get nextPlace(): number {
    return this.#firstPlace + this.ledger.inputs.size;
  }

  get uid(): string {
    return this.fixed.uid;
  }

  /** The one that has the name now. */
  get latest(): Plant {
    return this.successor?.latest ?? this;
  }

  /** It, and those of its name that came after it. */
  get all(): Plant[] {
    return [this, ...(this.successor?.all ?? [])];
  }

  /** Made again under its name: another, which reads its topics from their start and knows of nothing that was before. */
  makeAgain(): Plant {
    const again = new Plant(this.scenario, this.#log, this);
    for (const topic of this.topics.values())
      for (const { id } of topic.inputs) {
        const input = this.ledger.inputs.get(id);
        if (input !== undefined) again.ledger.add({ ...input, ...untouched });
      }
    this.successor = again;
    this.say(`MADE AGAIN as ${again.pid}`);
    return again;
  }

  /** Its streams that are there. */
  get streamsLeft(): string[] {
    return this.server.streamNames(`mr.${this.pid}.>`);
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
    const { site, fixed, services, world, ledger } = this;
    const plan = planOf(shape, fixed);
    ledger.shapes.set(shape.generation, shape);
    this.plans.set(shape.generation, plan);
    for (const source of shape.sources) {
      const { name, system } = source;
      site.addSource(source);
      if (system === 'http' && !this.topics.has(name) && !services.has(name))
        services.set(name, new HttpService(plan.pipeline.pid, name, world, ledger));
    }
    for (const sink of shape.sinks) site.addSink(sink);
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
    if (table instanceof PositionedTable) table.takenOff(this.uid);
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
        givenUp: (inputs) => inputs.forEach(({ id }) => this.ledger.mayMiss(id)),
        losses,
      }),
    );
  }

  openSink(stage: SinkStage, slot: number, machine: Machine): Promise<SinkSlotPort<SimRows>> {
    const table = this.tables.get(stage.sink);
    if (table instanceof BlockTable) return Promise.resolve(new BlockSlot(table, machine, this.ledger));
    if (table instanceof PositionedTable)
      return Promise.resolve(new PositionedSlot(table, machine, this.placeOf(stage.name, slot), this.ledger));
    throw new TypeError(`there is no table ${stage.sink}`);
  }

  /** Under which a table keeps the position of a slot. */
  placeOf(stage: string, slot: number): string {
    return `${this.uid}/${stage}.${slot}`;
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

/** As an input is before anybody has read it. */
const untouched = { acknowledged: false, mayBeMissing: false, mayRepeat: false, isDecided: false };

function writersIn({ stages }: Plan): number {
  return stages.reduce((sum, stage) => sum + (stage.kind === 'ingestor' ? stage.slots : 0), 0);
}
