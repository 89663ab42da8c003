/**
 * The connection to NATS. It never gives up: a worker must outlive any outage of nats-server. Requests that need an
 * answer are retried by their callers (`./fenced-subject.ts`, `./shard-reader.ts`).
 */
import { connect } from '@nats-io/transport-node';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { JetStreamPort, Link } from './jetstream-port.ts';
import { natsPort } from './nats-port.ts';

/** The port, and the client below it for the owner of the connection. */
export interface Streams extends JetStreamPort {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

export interface ConnectOptions {
  /** One address, or several of one cluster, separated by commas. */
  readonly url: string;
  /** Shown by `nats server report connections`: process and pod. */
  readonly name: string;
  /** Between attempts. Default 250 ms, so that a restart of nats-server costs well under a second. */
  readonly reconnectTimeWaitMs?: number;
  /** How long one request waits for its answer. Default 3,000 ms. */
  readonly requestTimeoutMs?: number;
}

/** Connects, and waits for the server for as long as it takes. */
export async function connectStreams(options: ConnectOptions): Promise<Streams> {
  const nc = await connect({
    servers: options.url.split(',').map((address) => address.trim()),
    name: options.name,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    reconnectTimeWait: options.reconnectTimeWaitMs ?? 250,
    // A dead peer that sends no FIN is found by unanswered pings: 2 × 5 s.
    pingInterval: 5_000,
    maxPingOut: 2,
  });
  const timeout = options.requestTimeoutMs ?? 3_000;
  const js = jetstream(nc, { timeout });
  // Whether JetStream is enabled is not checked: a server that is still starting would refuse, and every caller
  // retries anyway.
  const jsm = await jetstreamManager(nc, { timeout, checkAPI: false });
  return Object.assign(natsPort(nc, js, jsm, watchLink(nc)), { nc, js, jsm });
}

function watchLink(nc: NatsConnection): Link {
  const listeners = new Set<() => void>();
  let connected = true;
  void (async () => {
    for await (const event of nc.status()) {
      if (event.type === 'disconnect' || event.type === 'close') connected = false;
      if (event.type !== 'reconnect') continue;
      connected = true;
      for (const listener of listeners) listener();
    }
  })();
  return {
    get connected() {
      return connected && !nc.isClosed();
    },
    onReconnect(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
