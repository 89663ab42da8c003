/** What all pipelines of a run share, and what outlives each of them: time, nats-server, the systems outside. */
import type { Message } from '../jetstream/stream.ts';
import { Server, type StoreWitness, type StreamHost } from '../jetstream/server.ts';
import { Faults } from '../kernel/faults.ts';
import { Random } from '../kernel/random.ts';
import { World } from '../kernel/world.ts';
import { BlockTable } from '../outside/clickhouse.ts';
import { PositionedTable } from '../outside/postgres.ts';
import { Remote } from '../outside/remote.ts';
import { Topic } from '../outside/topic.ts';
import type { Scenario } from './scenario.ts';
import type { SinkShape, SourceShape } from './shape.ts';

const maxPayload = 160 * 1024;

export class Site {
  readonly world: World;
  readonly server: Server;
  readonly faults: Faults;
  readonly topics = new Map<string, Topic>();
  readonly tables = new Map<string, BlockTable | PositionedTable>();
  readonly remotes = new Map<string, Remote>();
  /** One for each pipeline. */
  readonly witnesses = new Witnesses();
  readonly #scenario: Scenario;

  constructor(scenario: Scenario, say: (text: string) => void) {
    this.#scenario = scenario;
    this.world = new World(new Random(scenario.seed).fork('run'));
    this.faults = new Faults(this.world, scenario.traps, say);
    // Mostly as it is; now and then a copy that is busy catching up.
    const maxLagMs = this.world.random.fork('lag').pick([400, 400, 6_000]);
    this.server = new Server(this.world, { maxPayload, url: 'nats://nats:4222', maxLagMs }, this.witnesses);
  }

  /** Once for each name. */
  addSource({ name, system }: SourceShape): void {
    if (this.remotes.has(name)) return;
    this.remotes.set(name, new Remote(name, this.world, this.faults));
    if (system === 'kafka') this.topics.set(name, new Topic(name, this.#scenario.partitions));
  }

  /** Once for each name. */
  addSink({ name, system }: SinkShape): void {
    if (this.remotes.has(name)) return;
    const { window, hasViews: hasView } = this.#scenario;
    const remote = new Remote(name, this.world, this.faults);
    this.remotes.set(name, remote);
    this.tables.set(
      name,
      system === 'clickhouse' ? new BlockTable(name, { window, hasView }, remote) : new PositionedTable(name, remote),
    );
  }
}

/** Each is told everything, and looks at what is its pipeline's. */
class Witnesses implements StoreWitness {
  readonly #all: StoreWitness[] = [];

  add(witness: StoreWitness): void {
    this.#all.push(witness);
  }

  stored(host: StreamHost, message: Message, by: string): void {
    for (const one of this.#all) one.stored?.(host, message, by);
  }
  purged(host: StreamHost, filter: string, before: number, by: string): void {
    for (const one of this.#all) one.purged?.(host, filter, before, by);
  }
  deleted(host: StreamHost, by: string | undefined): void {
    for (const one of this.#all) one.deleted?.(host, by);
  }
  rolledBack(host: StreamHost, lost: readonly Message[]): void {
    for (const one of this.#all) one.rolledBack?.(host, lost);
  }
}
