/**
 * Connections and requests to a Kafka cluster. With ./quiet-timers.ts the only file that touches the inside of kafkajs.
 *
 * kafkajs keeps sockets, TLS, SASL and request framing; its consumer makes an object a message, so records are fetched
 * past it. Relied on, in version 2.2.4, its last (test/connectors/kafka/kafkajs-internals.test.ts names each):
 * - `Broker` and `ConnectionPool` are constructible, and a pool's connection 1 carries Fetch, connection 0 the rest;
 * - the encoders of Fetch v11 and Metadata v6, the decoder of Metadata v6, for brokers that have no later ones;
 * - a request carries whatever bytes an `Encoder` holds, and `Broker.versions` tells what the broker takes;
 * - the payload given to a response decoder is never written again, so records may point into it;
 * - `RequestQueue` asks for a timer even when nothing is pending (./quiet-timers.ts).
 *
 * C1  Metadata is asked for with automatic topic creation off: reading never creates a topic.
 * C2  `close` ends every socket at once, whatever requests are pending.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import Broker from 'kafkajs/src/broker/index.js';
import { LEVELS, createLogger, type KafkaLogger } from 'kafkajs/src/loggers/index.js';
import ConnectionPool, { type ProtocolRequest } from 'kafkajs/src/network/connectionPool.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import encodeFetch from 'kafkajs/src/protocol/requests/fetch/v11/request.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import encodeMetadata from 'kafkajs/src/protocol/requests/metadata/v6/request.js';
import { decode as decodeMetadata } from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
import type { Logger } from 'pino';
import { problemOf } from '../../model/errors.ts';
import { decodeFetchById, encodeFetchById, fetchApi, fetchByIdVersion } from './fetch-by-id.ts';
import { decodeFetchResponse, type FetchResponse } from './fetch-response.ts';
import './quiet-timers.ts';
import {
  decodeMetadataResponse,
  encodeMetadataRequest,
  fromOld,
  metadataApi,
  metadataVersion,
  type Metadata,
} from './metadata.ts';

const connectionTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
const readCommitted = 1;
const groupCoordinator = 0;

export interface ClusterOptions {
  readonly brokers: readonly Address[];
  readonly clientId: string;
  readonly tls?: ConnectionOptions;
  readonly sasl?: { readonly mechanism: string; readonly username: string; readonly password: string };
  readonly log: Logger;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface FetchRequest {
  readonly topic: string;
  /** Undefined: the cluster has no ids of topics. */
  readonly topicId: string | undefined;
  readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
  readonly partitionMaxBytes: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
}

/** A connection to one leader that carries fetches only, one at a time. */
export interface FetchConnection {
  fetch(request: FetchRequest): Promise<FetchResponse>;
  close(): void;
}

/** An error that a broker answered with, by its code in the Kafka protocol. */
export function brokerError(code: number): Error {
  return createErrorFromCode(code);
}

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #logger: KafkaLogger;
  readonly #sockets = new Set<Socket>();
  /** For everything but fetches, by address. */
  readonly #brokers = new Map<string, Broker>();
  readonly #nodes = new Map<number, Address>();
  /** Control requests are sent in turn: two at once would open a lost connection twice. */
  #control: Promise<unknown> = Promise.resolve();

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#logger = createLogger({
      level: options.log.isLevelEnabled('trace') ? LEVELS.DEBUG : LEVELS.INFO,
      logCreator: () => (entry) => {
        options.log.debug({ kafkajs: entry.namespace, broker: entry.log.broker }, entry.log.message);
      },
    });
  }

  /** Where the topic's partitions are. Asks any broker that answers. */
  metadata(topic: string): Promise<Metadata> {
    return this.#inTurn(async () => {
      const broker = await this.#anyBroker();
      const metadata = takes(broker, metadataApi, metadataVersion)
        ? await broker.connectionPool.send(metadataRequest(topic))
        : fromOld(
            await broker.connectionPool.send({
              request: encodeMetadata({ topics: [topic], allowAutoTopicCreation: false }),
              response: { decode: decodeMetadata, parse: keep },
            }),
          );
      this.#nodes.clear();
      for (const { nodeId, host, port } of metadata.brokers) this.#nodes.set(nodeId, { host, port });
      return metadata;
    });
  }

  /** Offsets by partition: `earliest` that is still there, or `latest` = the next to be written. */
  listOffsets(node: number, topic: string, partitions: readonly number[], which: 'earliest' | 'latest') {
    return this.#inTurn(async () => {
      const broker = await this.#connected(this.#addressOf(node));
      const timestamp = which === 'earliest' ? -2 : -1;
      const { responses } = await broker.listOffsets({
        isolationLevel: readCommitted,
        topics: [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }],
      });
      return new Map(
        responses.flatMap((response) =>
          response.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const),
        ),
      );
    });
  }

  /** Commits offsets to a group that has no members. */
  commitOffsets(group: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    return this.#inTurn(async () => {
      const asked = await this.#anyBroker();
      const { coordinator } = await asked.findGroupCoordinator({ groupId: group, coordinatorType: groupCoordinator });
      const broker = await this.#connected(coordinator);
      const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }));
      await broker.offsetCommit({
        groupId: group,
        groupGenerationId: -1,
        memberId: '',
        topics: [{ topic, partitions }],
      });
    });
  }

  /** The caller must close it, at the latest when a fetch has failed. */
  async fetchConnection(node: number): Promise<FetchConnection> {
    const address = this.#addressOf(node);
    const broker = await this.#inTurn(() => this.#connected(address));
    const { versions } = broker;
    const takesIds = takes(broker, fetchApi, fetchByIdVersion);
    const sockets = new Set<Socket>();
    const pool = this.#pool(address, sockets);
    if (versions !== null) pool.setVersions(versions);
    pool.setSupportAuthenticationProtocol(true);
    const fetch = async (request: FetchRequest) => {
      const { topicId } = request;
      const asked = takesIds && topicId !== undefined ? fetchByIdRequest(request, topicId) : fetchRequest(request);
      const response = await pool.send(asked);
      if (response.errorCode !== 0) throw brokerError(response.errorCode);
      return response;
    };
    return { fetch, close: () => this.#end(pool, sockets) };
  }

  close(): void {
    for (const [key, broker] of this.#brokers) this.#forget(key, broker);
    for (const socket of this.#sockets) socket.destroy(new Error('closed'));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#control.then(work, work);
    this.#control = turn.catch(() => undefined);
    return turn;
  }

  #addressOf(node: number): Address {
    const address = this.#nodes.get(node);
    if (address === undefined) throw brokerError(5);
    return address;
  }

  /** Tries the brokers that are known by now, then those of the spec; returns the first that accepts the login. */
  async #anyBroker(): Promise<Broker> {
    const candidates = [...this.#nodes.values(), ...this.#options.brokers];
    candidates.sort((a, b) => Number(this.#isConnected(b)) - Number(this.#isConnected(a)));
    let failure: unknown;
    for (const address of candidates) {
      try {
        return await this.#connected(address);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  #isConnected(address: Address): boolean {
    return this.#brokers.get(keyOf(address))?.isConnected() ?? false;
  }

  async #connected(address: Address): Promise<Broker> {
    const key = keyOf(address);
    const known = this.#brokers.get(key);
    if (known?.isConnected()) return known;
    if (known) this.#forget(key, known);
    const broker = new Broker({
      connectionPool: this.#pool(address, this.#sockets),
      logger: this.#logger,
      allowAutoTopicCreation: false,
    });
    this.#brokers.set(key, broker);
    try {
      await broker.connect();
      return broker;
    } catch (error) {
      this.#forget(key, broker);
      throw error;
    }
  }

  #forget(key: string, broker: Broker): void {
    if (this.#brokers.get(key) === broker) this.#brokers.delete(key);
    this.#end(broker.connectionPool, new Set());
  }

  #end(pool: ConnectionPool, sockets: ReadonlySet<Socket>): void {
    for (const socket of sockets) socket.destroy(new Error('closed'));
    pool
      .destroy()
      .catch((error: unknown) => this.#options.log.debug({ problem: problemOf(error) }, 'kafka disconnect'));
  }

  #pool(address: Address, sockets: Set<Socket>): ConnectionPool {
    return new ConnectionPool({
      ...address,
      ssl: this.#options.tls ?? null,
      sasl: this.#options.sasl === undefined ? null : { ...this.#options.sasl },
      clientId: this.#options.clientId,
      socketFactory: (to) => {
        const socket = openSocket(to);
        for (const set of [sockets, this.#sockets]) {
          set.add(socket);
          socket.once('close', () => set.delete(socket));
        }
        return socket;
      },
      connectionTimeout: connectionTimeoutMs,
      requestTimeout: requestTimeoutMs,
      enforceRequestTimeout: true,
      maxInFlightRequests: null,
      logger: this.#logger,
    });
  }
}

function takes({ versions }: Broker, api: number, version: number): boolean {
  const range = versions?.[api];
  return range !== undefined && range.minVersion <= version && version <= range.maxVersion;
}

function metadataRequest(topic: string): ProtocolRequest<Metadata> {
  return {
    request: {
      apiKey: metadataApi,
      apiVersion: metadataVersion,
      apiName: 'Metadata',
      encode: () => Promise.resolve(new Encoder().writeBuffer(encodeMetadataRequest(topic))),
    },
    response: { decode: (payload) => Promise.resolve(decodeMetadataResponse(payload)), parse: keep },
  };
}

function fetchByIdRequest(request: FetchRequest, topicId: string): ProtocolRequest<FetchResponse> {
  return {
    request: {
      apiKey: fetchApi,
      apiVersion: fetchByIdVersion,
      apiName: 'Fetch',
      encode: () => {
        const bytes = encodeFetchById({ ...request, topicId, isolationLevel: readCommitted });
        return Promise.resolve(new Encoder().writeBuffer(bytes));
      },
    },
    response: { decode: (payload) => Promise.resolve(decodeFetchById(payload)), parse: keep },
    requestTimeout: request.maxWaitMs + requestTimeoutMs,
  };
}

function fetchRequest(request: FetchRequest): ProtocolRequest<FetchResponse> {
  const partitions = request.partitions.map(({ partition, offset }) => ({
    partition,
    fetchOffset: String(offset),
    maxBytes: request.partitionMaxBytes,
  }));
  return {
    request: encodeFetch({
      replicaId: -1,
      maxWaitTime: request.maxWaitMs,
      minBytes: 1,
      maxBytes: request.maxBytes,
      isolationLevel: readCommitted,
      topics: [{ topic: request.topic, partitions }],
    }),
    response: { decode: (payload) => Promise.resolve(decodeFetchResponse(payload)), parse: keep },
    requestTimeout: request.maxWaitMs + requestTimeoutMs,
  };
}

function openSocket(to: { host: string; port: number; ssl: ConnectionOptions | null; onConnect: () => void }): Socket {
  const { host, port, ssl, onConnect } = to;
  const serverName = isIP(host) === 0 ? { servername: host } : {};
  const socket =
    ssl === null ? connectTcp({ host, port }, onConnect) : connectTls({ host, port, ...serverName, ...ssl }, onConnect);
  socket.setKeepAlive(true, 60_000);
  socket.setNoDelay(true);
  return socket;
}

function keyOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

function keep<T>(decoded: T): Promise<T> {
  return Promise.resolve(decoded);
}
