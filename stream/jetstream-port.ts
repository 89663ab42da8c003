/**
 * What this folder asks of JetStream, and all of it: one real implementation (`./nats-port.ts`), and one model for the
 * simulation (test/simulation/jetstream/), which a conformance suite holds to what nats-server does.
 *
 * J1  A rejected call may have had its effect, unless the failure says that it was refused (`./jetstream-errors.ts`).
 * J2  Calls that say "leader" see every write that was acknowledged before; direct ones may be answered by a replica
 *     that lags.
 * J3  What is published alongside is stored with the message in one step, also when the server is killed in it. The
 *     stream must be made with `allow_atomic`.
 */
import type { ConsumerConfig, StreamConfig, StreamInfo } from '@nats-io/jetstream';

export interface JetStreamPort {
  /** For messages to people. */
  readonly server: string;
  /** Bytes of one message that the server takes, headers included; undefined until it has said so. */
  readonly maxPayload: number | undefined;
  readonly link: Link;

  /** Rejects when it was refused, and when nobody knows. */
  publish(subject: string, data: Uint8Array | string, options?: PublishOptions): Promise<Published>;
  /** Leader: one message, or null. */
  getMessage(stream: string, query: MessageQuery): Promise<StoredMessage | null>;
  /** Direct: one message, or null. */
  directGet(stream: string, query: DirectQuery): Promise<StoredMessage | null>;
  /** Direct: the last message of every subject that the filter matches, in one request. */
  lastOfEach(stream: string, filter: string): Promise<StoredMessage[]>;

  streamInfo(stream: string): Promise<StreamInfo>;
  addStream(config: StreamSettings): Promise<void>;
  updateStream(config: StreamSettings): Promise<void>;
  deleteStream(stream: string): Promise<void>;
  /** Streams whose subjects match. */
  streamNames(subject: string): Promise<string[]>;
  /** Removes what the filter matches: below `seq`, or all. */
  purgeStream(stream: string, options: PurgeOptions): Promise<void>;

  addConsumer(stream: string, config: Partial<ConsumerConfig>): Promise<AddedConsumer>;
  deleteConsumer(stream: string, consumer: string): Promise<void>;
  /** Answers to the pull requests of one consumer, as they come, statuses included. */
  openPull(stream: string, consumer: string, events: PullChannelEvents): PullChannel;

  /** Core NATS: what is published while the subscription lives, at most once. Returns what ends it. */
  subscribe(subject: string, receive: (message: CoreMessage) => void): () => void;
}

/** Whether nats-server is there, and word of its return. */
export interface Link {
  readonly connected: boolean;
  /** Calls `listener` after each reconnect, until the returned function is called. */
  onReconnect(listener: () => void): () => void;
}

export interface PublishOptions {
  /** Names and values. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Refused unless this is the sequence of the subject's last message; 0: there is none. */
  readonly expectLast?: number;
  /** Both are stored, or neither (J3). */
  readonly alongside?: Alongside;
  readonly ttlSeconds?: number;
  readonly timeoutMs?: number;
}

/** A second message of the same stream. Refused, like a wrong `expectLast`, when its subject has a message already. */
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

export type MessageQuery = { readonly seq: number } | { readonly last_by_subj: string };
export type DirectQuery =
  | { readonly last_by_subj: string }
  /** The first at or after `seq` that the filter matches. */
  | { readonly seq: number; readonly next_by_subj: string };

export type StreamSettings = Partial<StreamConfig> & { readonly name: string; readonly subjects: string[] };

export interface PurgeOptions {
  readonly filter: string;
  /** The first message to stay. */
  readonly seq?: number;
}

export interface AddedConsumer {
  readonly name: string;
  /** Messages that it has still to deliver. */
  readonly pending: number;
}

export interface PullRequest {
  readonly messages: number;
  /** Absent: without a bound. */
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
  /** How many messages the consumer has delivered, this one included. */
  readonly delivered: number;
  /** Messages of the consumer after this one. */
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
