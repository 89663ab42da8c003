/**
 * {@link JetStreamPort} over the NATS client: each call maps to one call of the client, and nothing is decided here.
 */
import { JetStreamError, type JetStreamClient, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { createInbox, headers, nanos, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import type {
  JetStreamPort,
  Link,
  PublishOptions,
  PullChannel,
  PullChannelEvents,
  PullRequest,
} from './jetstream-port.ts';

/** The random end of an inbox. */
const batchIdLength = 22;

/** JetStream answers a filter that matches nothing with status 404. */
const noResults = 404;

/** `inboxPrefix`: that of the connection, under which it may receive answers. Default: the client's. */
export function natsPort(
  nc: NatsConnection,
  js: JetStreamClient,
  jsm: JetStreamManager,
  link: Link,
  inboxPrefix?: string,
): JetStreamPort {
  return {
    link,
    get server() {
      return nc.getServer();
    },
    get maxPayload() {
      return nc.info?.max_payload;
    },
    async publish(subject, data, options = {}) {
      const { alongside, ...rest } = options;
      const batch = alongside === undefined ? undefined : createInbox().slice(-batchIdLength);
      const message = published(rest);
      if (alongside !== undefined && batch !== undefined) {
        const first = headers();
        first.set('Nats-Expected-Last-Subject-Sequence', '0');
        first.set('Nats-TTL', `${alongside.ttlSeconds}s`);
        inBatch(first, batch, 1);
        nc.publish(alongside.subject, alongside.data, { headers: first });
        inBatch(message.headers, batch, 2);
        message.headers.set('Nats-Batch-Commit', '1');
      }
      const { seq } = await js.publish(subject, data, message);
      return { seq };
    },
    getMessage: (stream, query) => jsm.streams.getMessage(stream, query),
    directGet: (stream, query) => jsm.direct.getMessage(stream, query),
    lastOfEach: (stream, filter) => lastOfEach(jsm, stream, filter),
    streamInfo: (stream) => jsm.streams.info(stream),
    async subjectsOf(stream, filter) {
      const { state } = await jsm.streams.info(stream, { subjects_filter: filter });
      return Object.keys(state.subjects ?? {});
    },
    addStream: async (config) => {
      await jsm.streams.add(config);
    },
    updateStream: async (config) => {
      await jsm.streams.update(config.name, config);
    },
    deleteStream: async (stream) => {
      await jsm.streams.delete(stream);
    },
    async streamNames(subject) {
      const names: string[] = [];
      for await (const name of jsm.streams.names(subject)) names.push(name);
      return names;
    },
    purgeStream: async (stream, options) => {
      await jsm.streams.purge(stream, options);
    },
    async addConsumer(stream, config) {
      const { name, num_pending } = await jsm.consumers.add(stream, config);
      return { name, pending: num_pending };
    },
    deleteConsumer: async (stream, consumer) => {
      await jsm.consumers.delete(stream, consumer);
    },
    openPull: (stream, consumer, events) => openPull(nc, createInbox(inboxPrefix), { stream, consumer }, events),
    subscribe(subject, receive) {
      const subscription = nc.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) receive(message);
        },
      });
      return () => {
        if (!nc.isClosed()) subscription.unsubscribe();
      };
    },
  };
}

/** ADR-50: messages of one batch are stored together when the last of them says so. */
function inBatch(of: MsgHdrs, batch: string, sequence: number): void {
  of.set('Nats-Batch-Id', batch);
  of.set('Nats-Batch-Sequence', String(sequence));
}

function published({ headers: own = {}, expectLast, ttlSeconds, timeoutMs }: Omit<PublishOptions, 'alongside'>) {
  const made = headers();
  for (const [name, value] of Object.entries(own)) made.set(name, value);
  return {
    headers: made,
    ...(expectLast === undefined ? {} : { expect: { lastSubjectSequence: expectLast } }),
    ...(ttlSeconds === undefined ? {} : { ttl: `${ttlSeconds}s` }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
  };
}

async function lastOfEach(jsm: JetStreamManager, stream: string, filter: string): Promise<StoredMsg[]> {
  const messages: StoredMsg[] = [];
  try {
    for await (const message of await jsm.direct.getLastMessagesFor(stream, { multi_last: [filter] }))
      messages.push(message);
  } catch (error) {
    if (error instanceof JetStreamError && 'code' in error && error.code === noResults) return [];
    throw error;
  }
  return messages;
}

function openPull(
  nc: NatsConnection,
  inbox: string,
  { stream, consumer }: { readonly stream: string; readonly consumer: string },
  events: PullChannelEvents,
): PullChannel {
  const pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
  const subscription = nc.subscribe(inbox, {
    callback: (error, message) => (error === null ? receive(message, events) : events.failed()),
  });
  return {
    request: (pull) => nc.publish(pullSubject, JSON.stringify(requestOf(pull)), { reply: inbox }),
    close: () => {
      if (!nc.isClosed()) subscription.unsubscribe();
    },
  };
}

function requestOf({ messages, maxBytes, expiresMs, heartbeatMs }: PullRequest) {
  return {
    batch: messages,
    ...(maxBytes === undefined ? {} : { max_bytes: maxBytes }),
    expires: nanos(expiresMs),
    idle_heartbeat: nanos(heartbeatMs),
  };
}

function receive(message: Msg, events: PullChannelEvents): void {
  const code = message.headers?.code ?? 0;
  if (code > 0) {
    const delivered = message.headers?.get('Nats-Last-Consumer') ?? '';
    events.status(code, message.headers?.description ?? '', delivered === '' ? undefined : Number(delivered));
    return;
  }
  const reply = message.reply ?? '';
  const { subject, data } = message;
  events.delivered({ ...deliveryOf(reply), subject, data, bytes: data.length + subject.length + reply.length });
}

/**
 * `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivered>.<time>.<pending>`, or with domain and account before,
 * and a token after.
 */
function deliveryOf(reply: string): { sequence: number; delivered: number; pending: number } {
  const tokens = reply.split('.');
  const first = tokens.length === 9 ? 4 : 6;
  return {
    sequence: Number(tokens[first + 1]),
    delivered: Number(tokens[first + 2]),
    pending: Number(tokens[first + 4]),
  };
}
