/**
 * Kafka as a source: partitions are fetched directly, without a consumer group; the edge's tail alone says where to
 * read.
 *
 * Partition p belongs to slot p mod slots. Metadata and offset commits are shared by the slots of a pod; each slot has
 * fetch connections of its own, so that one slot's waiting fetch holds up no other.
 */
import type { ConnectionOptions } from 'node:tls';
import { bytes, milliseconds } from '../../model/quantities.ts';
import { problemOf } from '../../model/errors.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { SourceLossPort } from '../../stream/source-port.ts';
import type { ConnectorContext, Source, SourceConnector, SourceReader } from '../connector.ts';
import { Cluster, type Address } from './cluster.ts';
import { GroupCommits } from './commits.ts';
import { FetchBudget } from './fetch-budget.ts';
import { parseFailure, type KafkaFailureContext } from './failures.ts';
import type { FetchLimits } from './leader.ts';
import { KafkaReader } from './reader.ts';
import type { KafkaSourceConfig } from './spec.ts';
import { Topic } from './topic.ts';

/** One answer holds at most this, unless the spec wants more of a partition. */
const answerMaxBytes = 4 * 2 ** 20;
/** A broker delays a fetch no longer than this, whatever the spec says: the client would take it for dead. */
const longestWaitMs = 30_000;
/** A partition's end is requested when no fetch has reported it for this long. */
const endIsOldMs = 5_000;

type SourceContext = ConnectorContext & { readonly slots: number };

export const source: SourceConnector<KafkaSourceConfig> = {
  async connect(config, context) {
    const { name, identity } = context;
    const failure = { source: name, topic: config.topic, server: config.brokers.join(', '), identity };
    const cluster = openCluster(config, context);
    const topic = new Topic(config.topic, cluster);
    try {
      await topic.refresh();
    } catch (error) {
      cluster.close();
      throw parseFailure(error, failure);
    }
    return new KafkaSource(config, context, cluster, topic, failure);
  },
};

class KafkaSource implements Source {
  readonly #config: KafkaSourceConfig;
  readonly #context: SourceContext;
  readonly #cluster: Cluster;
  readonly #topic: Topic;
  readonly #failure: KafkaFailureContext;
  readonly #commits: GroupCommits;
  readonly #budget: FetchBudget;
  readonly #readers = new Set<KafkaReader>();
  readonly #closed = new AbortController();

  constructor(
    config: KafkaSourceConfig,
    context: SourceContext,
    cluster: Cluster,
    topic: Topic,
    failure: KafkaFailureContext,
  ) {
    this.#config = config;
    this.#context = context;
    this.#cluster = cluster;
    this.#topic = topic;
    this.#failure = failure;
    this.#budget = new FetchBudget(bytes(config.fetch.maxBufferedBytes));
    const { clock, log } = context;
    const group = config.group ?? `millrace-${context.pipeline.pid}`;
    this.#commits = new GroupCommits({ cluster, group, topic: topic.name, clock, log, failure });
    void topic.watch(clock, this.#closed.signal, (error) => this.#debug('kafka metadata', error));
    topic.onLook(() => void this.#refreshEnds());
  }

  open(slot: number, position: Position | undefined, losses: SourceLossPort): Promise<SourceReader> {
    const { startFrom, onPositionLost } = this.#config;
    const [cluster, topic, commits, failure] = [this.#cluster, this.#topic, this.#commits, this.#failure];
    const { slots, clock, log } = this.#context;
    const reader = new KafkaReader({
      slot,
      slots,
      position,
      startFrom,
      onPositionLost,
      losses,
      limits: this.#limits(),
      cluster,
      topic,
      commits,
      clock,
      log,
      failure,
      onClose: (closing) => this.#readers.delete(closing),
    });
    this.#readers.add(reader);
    return Promise.resolve(reader);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    await this.#commits.close();
    this.#cluster.close();
  }

  #limits(): FetchLimits {
    const partitionMaxBytes = bytes(this.#config.fetch.maxBytes);
    return {
      partitionMaxBytes,
      maxBytes: Math.max(partitionMaxBytes, answerMaxBytes),
      maxInflatedBytes: bytes(this.#config.fetch.maxInflatedBytes),
      budget: this.#budget,
      maxWaitMs: Math.min(milliseconds(this.#config.fetch.maxWait), longestWaitMs),
    };
  }

  /** While the edge is full nothing is fetched, and the lag must nevertheless keep growing. */
  async #refreshEnds(): Promise<void> {
    for (const reader of this.#readers) {
      try {
        await reader.refreshEnds(endIsOldMs);
      } catch (error) {
        this.#debug('kafka ends', error);
      }
    }
  }

  #debug(what: string, error: unknown): void {
    this.#context.log.debug({ problem: problemOf(error) }, what);
  }
}

function openCluster(config: KafkaSourceConfig, context: SourceContext): Cluster {
  const { tls, sasl } = config;
  return new Cluster({
    brokers: config.brokers.map(addressOf),
    clientId: `millrace-${context.pipeline.pid}`,
    log: context.log,
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl, mechanism: mechanisms[sasl.mechanism] } }),
  });
}

const mechanisms = { Plain: 'plain', ScramSha256: 'scram-sha-256', ScramSha512: 'scram-sha-512' } as const;

function tlsOptions({ ca, cert, key, insecureSkipVerify }: NonNullable<KafkaSourceConfig['tls']>): ConnectionOptions {
  return {
    rejectUnauthorized: !insecureSkipVerify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function addressOf(broker: string): Address {
  const colon = broker.lastIndexOf(':');
  return { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) };
}
