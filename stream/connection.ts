/**
 * The connection to NATS. It never gives up: a worker must outlive any outage of nats-server. Requests that need an
 * answer are retried by their callers (`./fenced-subject.ts`, `./shard-reader.ts`).
 *
 * N1  What keeps the server from letting it in is told, also after years: credentials are rotated, and may be wrong.
 * N2  Credentials are asked for at every attempt. That they cannot be had, or are refused, ends nothing.
 */
import {
  connect,
  errors,
  type Authenticator,
  type NatsConnection,
  type NodeConnectionOptions,
  type TlsOptions,
} from '@nats-io/transport-node';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { systemClock } from './clock.ts';
import type { JetStreamPort, Link } from './jetstream-port.ts';
import { natsPort } from './nats-port.ts';

/** The port, and the client below it for the owner of the connection. */
export interface Streams extends JetStreamPort {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

/** How a server that asks lets one in. */
export interface NatsAccess {
  readonly authenticator?: Authenticator;
  readonly tls?: TlsOptions;
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
  /** Default: none, for a server that asks for nothing. */
  readonly access?: NatsAccess;
  /** Of the subjects on which answers arrive, for a user that may subscribe to its own only. Default `_INBOX`. */
  readonly inboxPrefix?: string;
  /** Ends the wait for the server. Has no effect on what is connected. */
  readonly signal?: AbortSignal;
  /** Called at every attempt that fails at first, and with every error that a server says later (N1). */
  readonly onTrouble?: (error: Error) => void;
}

const reconnectMs = 250;
/** Of one attempt. */
const connectMs = 10_000;

/** Connects, and waits for the server for as long as it takes, or until `signal` is aborted: then it rejects with its reason. */
export async function connectStreams(options: ConnectOptions): Promise<Streams> {
  const nc = await firstConnection(options);
  const timeout = options.requestTimeoutMs ?? 3_000;
  const js = jetstream(nc, { timeout });
  // Whether JetStream is enabled is not checked: a server that is still starting would refuse, and every caller
  // retries anyway.
  const jsm = await jetstreamManager(nc, { timeout, checkAPI: false });
  const link = watchLink(nc, options.onTrouble);
  return Object.assign(natsPort(nc, js, jsm, link, options.inboxPrefix), { nc, js, jsm });
}

/** Not the client's own wait (waitOnFirstConnect), which says nothing of why it waits, and cannot be ended. */
async function firstConnection(options: ConnectOptions): Promise<NatsConnection> {
  const { signal, onTrouble, reconnectTimeWaitMs = reconnectMs } = options;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await unlessAborted(connect(clientOptions(options)), signal);
    } catch (error) {
      signal?.throwIfAborted();
      onTrouble?.(asError(error));
    }
    await systemClock.sleep(reconnectTimeWaitMs, signal);
  }
}

function clientOptions(options: ConnectOptions): NodeConnectionOptions {
  const { access: { authenticator, tls } = {}, inboxPrefix, onTrouble } = options;
  return {
    servers: options.url.split(',').map((address) => address.trim()),
    name: options.name,
    maxReconnectAttempts: -1,
    // Else a second refusal would end the client: that is what a rotation of credentials looks like.
    ignoreAuthErrorAbort: true,
    timeout: connectMs,
    reconnectTimeWait: options.reconnectTimeWaitMs ?? reconnectMs,
    // A dead peer that sends no FIN is found by unanswered pings: 2 × 5 s.
    pingInterval: 5_000,
    maxPingOut: 2,
    ...(authenticator === undefined ? {} : { authenticator: neverThrowing(authenticator, onTrouble) }),
    ...(tls === undefined ? {} : { tls }),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  };
}

/** N2. One that throws closes the client for good; without credentials the server refuses, and is asked again. */
function neverThrowing(authenticator: Authenticator, onTrouble: ConnectOptions['onTrouble']): Authenticator {
  return (nonce) => {
    try {
      return authenticator(nonce);
    } catch (error) {
      onTrouble?.(asError(error));
      return undefined;
    }
  };
}

/** An attempt takes up to {@link connectMs}; one that is not waited for any more is closed. */
async function unlessAborted(
  connecting: Promise<NatsConnection>,
  signal: AbortSignal | undefined,
): Promise<NatsConnection> {
  if (signal === undefined) return connecting;
  const abort = Promise.withResolvers<undefined>();
  const onAbort = () => abort.resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const connected = await Promise.race([connecting, abort.promise]);
    if (connected !== undefined) return connected;
    connecting.then((late) => late.close()).catch(() => undefined);
    throw signal.reason;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A socket that is closed without an error rejects with nothing. */
function asError(error: unknown): Error {
  if (error instanceof errors.TimeoutError)
    return new Error(
      `it did not answer within ${connectMs / 1_000} s, as a server does that asks for a client certificate and gets none, or one of another authority`,
      { cause: error },
    );
  return error instanceof Error ? error : new Error('the server has closed the connection');
}

function watchLink(nc: NatsConnection, onTrouble: ConnectOptions['onTrouble']): Link {
  const listeners = new Set<() => void>();
  let connected = true;
  void (async () => {
    for await (const event of nc.status()) {
      if (event.type === 'disconnect' || event.type === 'close') connected = false;
      if (event.type === 'error') onTrouble?.(event.error);
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
