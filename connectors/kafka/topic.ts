/**
 * What is known about a topic: its partitions and their leaders, shared by all slots of a pod.
 *
 * T1  Refreshed every {@link watchMs}, so a new partition is read within that time; at once when a reader asks for it.
 * T2  Readers that ask at the same time share one request.
 * T3  `current` comes from one answer: the id belongs to the leaders that come with it.
 */
import type { WallClock } from '../../model/clock.ts';
import { brokerError, type Cluster } from './cluster.ts';

const watchMs = 10_000;
/** While a partition has no leader: elections take a second or two. */
const electionMs = 1_000;

/** Partition → node id of its leader; undefined while one is being elected. */
export type Leaders = ReadonlyMap<number, number | undefined>;

export interface TopicView {
  /** Another topic of the same name has another id. Undefined: the cluster has no ids. */
  readonly id: string | undefined;
  readonly leaders: Leaders;
}

const noError = 0;

export class Topic {
  readonly name: string;
  readonly #cluster: Cluster;
  #view: TopicView = { id: undefined, leaders: new Map() };
  #asking: Promise<TopicView> | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(name: string, cluster: Cluster) {
    this.name = name;
    this.#cluster = cluster;
  }

  get current(): TopicView {
    return this.#view;
  }

  get #isElecting(): boolean {
    return [...this.#view.leaders.values()].includes(undefined);
  }

  /** Asks the cluster. Throws its error when the topic as a whole is missing or access is denied. */
  refresh(): Promise<TopicView> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Calls `listener` after each refresh. Returns a function that stops that. */
  onLook(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Refreshes now and then until the signal ends. Failures are ignored here: readers notice them in their own
   * fetches.
   */
  async watch(clock: WallClock, signal: AbortSignal, failed: (error: unknown) => void): Promise<void> {
    for (;;) {
      try {
        await clock.sleep(this.#isElecting ? electionMs : watchMs, signal);
        await this.refresh();
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
      }
    }
  }

  async #ask(): Promise<TopicView> {
    const metadata = await this.#cluster.metadata(this.name);
    const topic = metadata.topics.find((each) => each.name === this.name);
    if (topic === undefined) throw brokerError(3);
    if (topic.errorCode !== noError) throw brokerError(topic.errorCode);
    const leaders = new Map(topic.partitions.map(({ id, leader }) => [id, leader < 0 ? undefined : leader]));
    this.#view = { id: topic.id, leaders };
    for (const listener of this.#listeners) listener();
    return this.#view;
  }
}
