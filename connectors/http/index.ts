/**
 * HTTP as a source: one server a pod, shared by the slots that the pod owns.
 *
 * A request is answered with 202 and the ids of its records once JetStream has stored them; see `door.ts` (H3–H5) and
 * `reader.ts` (H1, H2).
 */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { bytes, milliseconds } from '../../model/quantities.ts';
import { mr, problemOf } from '../../model/errors.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { ConnectorContext, Source, SourceConnector, SourceReader } from '../connector.ts';
import { Door } from './door.ts';
import { HttpReader } from './reader.ts';
import type { HttpSourceConfig } from './spec.ts';

/** The container port `records` of an ingestor with this connector. */
export const recordsPort = 8081;

/** How long a client may take to send a request. */
const receiveTimeoutMs = 30_000;
/** Longer than the idle time of usual load balancers, so that they close first. */
const keepAliveTimeoutMs = 75_000;
/** How long closing waits for answers to be sent. */
const closeTimeoutMs = 5_000;

type SourceContext = ConnectorContext & { readonly slots: number };

export function httpSource(port: number): SourceConnector<HttpSourceConfig> {
  return {
    async connect(config, context) {
      const door = new Door({
        source: context.name,
        pid: context.pipeline.pid,
        path: config.path,
        maxBodyBytes: bytes(config.maxBodyBytes),
        token: config.auth?.token,
        clock: context.clock,
        maxRecordBytes: context.maxRecordBytes,
        maxTogetherBytes: context.maxTogetherBytes,
        keyWindowSeconds: Math.ceil(milliseconds(config.idempotencyWindow) / 1_000),
        newRequestId: randomUUID,
      });
      return new HttpSource(await listen(door, port, context), door, context);
    },
  };
}

export const source = httpSource(recordsPort);

class HttpSource implements Source {
  private readonly server: Server;
  private readonly door: Door;
  private readonly context: SourceContext;
  private readonly readers = new Set<SourceReader>();

  constructor(server: Server, door: Door, context: SourceContext) {
    this.server = server;
    this.door = door;
    this.context = context;
    context.signal.addEventListener('abort', () => door.stopTaking(), { once: true });
  }

  open(slot: number, position: Position | undefined): Promise<SourceReader> {
    const { pipeline, name } = this.context;
    const reader = new HttpReader(`${pipeline.pid}/${name}/${slot}`, position, (closing) => {
      this.readers.delete(closing);
      this.door.removeSlot(closing);
    });
    this.readers.add(reader);
    this.door.addSlot(reader);
    return Promise.resolve(reader);
  }

  async close(): Promise<void> {
    this.door.stopTaking();
    await Promise.all([...this.readers].map((reader) => reader.close()));
    const enough = new AbortController();
    const late = this.context.clock.sleep(closeTimeoutMs, enough.signal).then(
      () => this.server.closeAllConnections(),
      () => undefined,
    );
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
    });
    enough.abort();
    await late;
  }
}

async function listen(door: Door, port: number, context: SourceContext): Promise<Server> {
  const server = createServer((request, response) => {
    door.handle(request, response).catch((error: unknown) => {
      context.log.error({ problem: problemOf(error) }, 'request failed');
      response.destroy();
    });
  });
  server.requestTimeout = receiveTimeoutMs;
  server.keepAliveTimeout = keepAliveTimeoutMs;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, context.bindAddress, resolve);
    });
  } catch (error) {
    const where = `${context.bindAddress}:${port}`;
    throw mr(
      'MR_SOURCE_UNREACHABLE',
      { source: context.name, server: where, problem: problemOf(error) },
      { cause: error },
    );
  }
  server.on('error', (error) => context.log.error({ problem: problemOf(error) }, 'records server'));
  return server;
}
