/**
 * HTTP as a source: one server a pod, shared by the slots that the pod owns.
 *
 * A request is answered with 202 and the ids of its records once JetStream has stored them; see `door.ts` (H3–H6), `server.ts` (V1–V4) and
 * `reader.ts` (H1, H2).
 */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { recordsPort } from '../../model/ports.ts';
import { bytes, milliseconds } from '../../model/quantities.ts';
import type { Position } from '../../stream/record-batch.ts';
import type { ConnectorContext, Source, SourceConnector, SourceReader } from '../connector.ts';
import { Door } from './door.ts';
import { HttpReader } from './reader.ts';
import { listen, makeServer, usualBounds, type ServerBounds } from './server.ts';
import type { HttpSourceConfig } from './spec.ts';

/** How long closing waits for answers to be sent. */
const closeTimeoutMs = 5_000;

type SourceContext = ConnectorContext & { readonly slots: number };

export function httpSource(port: number, bounds: ServerBounds = usualBounds): SourceConnector<HttpSourceConfig> {
  return {
    async connect(config, context) {
      const made = makeServer(context.name, bounds, context);
      const door = new Door({
        source: context.name,
        pid: context.pipeline.pid,
        path: config.path,
        maxBodyBytes: bytes(config.maxBodyBytes),
        token: config.auth?.token,
        clock: context.clock,
        maxRecordBytes: context.maxRecordBytes,
        maxTogetherBytes: context.maxTogetherBytes,
        waitsFor: context.waitsFor,
        keyWindowSeconds: Math.ceil(milliseconds(config.idempotencyWindow) / 1_000),
        isCrowded: made.isCrowded,
        newRequestId: randomUUID,
      });
      made.serve(door);
      await listen(made.server, port, context);
      return new HttpSource(made.server, door, context);
    },
  };
}

export const source = httpSource(recordsPort);

class HttpSource implements Source {
  readonly #server: Server;
  readonly #door: Door;
  readonly #context: SourceContext;
  readonly #readers = new Set<SourceReader>();

  constructor(server: Server, door: Door, context: SourceContext) {
    this.#server = server;
    this.#door = door;
    this.#context = context;
    context.signal.addEventListener('abort', () => door.stopTaking(), { once: true });
  }

  open(slot: number, position: Position | undefined): Promise<SourceReader> {
    const { pipeline, name } = this.#context;
    const reader = new HttpReader(`${pipeline.pid}/${name}/${slot}`, position, (closing) => {
      this.#readers.delete(closing);
      this.#door.removeSlot(closing);
    });
    this.#readers.add(reader);
    this.#door.addSlot(reader);
    return Promise.resolve(reader);
  }

  async close(): Promise<void> {
    this.#door.stopTaking();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    const enough = new AbortController();
    const late = this.#context.clock.sleep(closeTimeoutMs, enough.signal).then(
      () => this.#server.closeAllConnections(),
      () => undefined,
    );
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
    enough.abort();
    await late;
  }
}
