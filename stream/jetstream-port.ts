/**
 * Everything that this folder needs of JetStream: one real implementation (`./nats-port.ts`), and one model for the
 * simulation (test/simulation/jetstream/), which a conformance suite compares with nats-server.
 *
 * J1  A rejected call may have taken effect, unless the failure says that it was refused (`./jetstream-errors.ts`).
 * J2  Calls marked "leader" see every write that was acknowledged before; direct ones may be answered by a replica that
 *     lags.
 * J3  What is published alongside is stored with the message atomically, also when the server is killed meanwhile. The
 *     stream must be created with `allow_atomic`.
 */
import type { ConsumerConfig, StreamConfig, StreamInfo } from '@nats-io/jetstream';

export interface JetStreamPort {
  /** Name of the server, for messages to people. */
  readonly server: string;
  /** Bytes of one message that the server accepts, headers included; undefined until the server has reported it. */
  readonly maxPayload: number | undefined;
  readonly link: Link;

  /** Rejects when the message was refused, and when the outcome is unknown. */
  publish(subject: string, data: Uint8Array | string, options?: PublishOptions): Promise<Published>;
  /** Leader: one message, or null. */
  getMessage(stream: string, query: MessageQuery): Promise<StoredMessage | null>;
  /** Direct: one message, or null. */
  directGet(stream: string, query: DirectQuery): Promise<StoredMessage | null>;
  /** Direct: the last message of every subject that the filter matches, in one request. */
  lastOfEach(stream: string, filter: string): Promise<StoredMessage[]>;

  streamInfo(stream: string): Promise<StreamInfo>;
  /** Leader: the subjects that the filter matches and that have messages, in any order. */
  subjectsOf(stream: string, filter: string): Promise<string[]>;
  addStream(config: StreamSettings): Promise<void>;
  updateStream(config: StreamSettings): Promise<void>;
  deleteStream(stream: string): Promise<void>;
  /** Streams whose subjects match. */
  streamNames(subject: string): Promise<string[]>;
  /** Removes what the filter matches: below `seq`, or all. */
  purgeStream(stream: string, options: PurgeOptions): Promise<void>;

  addConsumer(stream: string, config: Partial<ConsumerConfig>): Promise<AddedConsumer>;
  deleteConsumer(stream: string, consumer: string): Promise<void>;
  /** Answers to the pull requests of one consumer, as they arrive, status messages included. */
  openPull(stream: string, consumer: string, events: PullChannelEvents): PullChannel;

  /** Core NATS: what is published while the subscription exists, at most once. Returns a function that ends it. */
  subscribe(subject: string, receive: (message: CoreMessage) => void): () => void;
}

/** Whether nats-server is reachable, and notification when it is again. */
export interface Link {
  readonly connected: boolean;
  /** Calls `listener` after each reconnect, until the returned function is called. */
  onReconnect(listener: () => void): () => void;
}

export interface PublishOptions {
  /** Names and values. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Refused unless this is the sequence of the subject's last message; 0: the subject has none. */
  readonly expectLast?: number;
  /** Both are stored, or neither (J3). */
  readonly alongside?: Alongside;
  readonly ttlSeconds?: number;
  readonly timeoutMs?: number;
}

/** A second message of the same stream. Refused, like a wrong `expectLast`, if its subject already has a message. */
export interface Alongside {
  readonly subject: string;
  readonly data: string;
  readonly ttlSeconds: number;
}

export interface Published {
  readonly seq: number;
}

export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly data: Uint8Array;
  readonly header: { get(name: string): string; has(name: string): boolean };
}

/** `next_by_subj`: the first at or after `seq` that the filter matches. */
interface NextQuery {
  readonly seq: number;
  readonly next_by_subj: string;
}

export type MessageQuery = { readonly seq: number } | { readonly last_by_subj: string } | NextQuery;
export type DirectQuery = { readonly last_by_subj: string } | NextQuery;

export type StreamSettings = Partial<StreamConfig> & { readonly name: string; readonly subjects: string[] };

export interface PurgeOptions {
  readonly filter: string;
  /** Sequence of the first message to keep. */
  readonly seq?: number;
}

export interface AddedConsumer {
  readonly name: string;
  /** Messages that the consumer has yet to deliver. */
  readonly pending: number;
}

export interface PullRequest {
  readonly messages: number;
  /** Absent: without a limit. */
  readonly maxBytes?: number;
  readonly expiresMs: number;
  readonly heartbeatMs: number;
}

export interface PullChannel {
  request(pull: PullRequest): void;
  close(): void;
}

export interface PullChannelEvents {
  readonly delivered: (message: Delivered) => void;
  /**
   * A status of the server, such as 100 (heartbeat), 408 (expired), 409. `delivered`: in a heartbeat, how many messages
   * the consumer has delivered.
   */
  readonly status: (code: number, description: string, delivered?: number) => void;
  /** The client itself ended the subscription. */
  readonly failed: () => void;
}

export interface Delivered {
  readonly sequence: number;
  /** How many messages the consumer has delivered, including this one. */
  readonly delivered: number;
  /** How many messages of the consumer follow this one. */
  readonly pending: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** What the server counts against `maxBytes`, less the headers. */
  readonly bytes: number;
}

export interface CoreMessage {
  readonly subject: string;
  readonly data: Uint8Array;
}
