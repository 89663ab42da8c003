/** The same questions to nats-server and to its model. */
import { JetStreamApiError } from '@nats-io/jetstream';
import { isStreamNotFound } from '../../../stream/jetstream-errors.ts';
import type { Delivered, JetStreamPort, StreamSettings } from '../../../stream/jetstream-port.ts';
import { eventually } from '../../support/eventually.ts';
import { startTestServer, type TestServer } from '../../stream/support/server.ts';
import { Connection } from '../jetstream/connection.ts';
import { Server } from '../jetstream/server.ts';
import { Faults } from '../kernel/faults.ts';
import { Machine } from '../kernel/machine.ts';
import { Random } from '../kernel/random.ts';
import { World } from '../kernel/world.ts';

export interface Bench {
  readonly port: JetStreamPort;
  /** A second client of the same server. */
  readonly other: JetStreamPort;
  sleep(ms: number): Promise<void>;
  /** kill -9 of the server, and its start; resolves when both clients are connected again and JetStream answers. */
  restart(): Promise<void>;
}

export interface Rig {
  readonly name: string;
  open(): Promise<void>;
  run(question: (bench: Bench) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export function realServer(): Rig {
  let server: TestServer;
  return {
    name: 'nats-server',
    async open() {
      server = await startTestServer();
    },
    async run(question) {
      const port = await server.connect('conformance');
      const other = await server.connect('conformance 2');
      try {
        await question({
          port,
          other,
          sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
          async restart() {
            await server.crash();
            await eventually(() => !port.link.connected && !other.link.connected);
            await server.start();
            await eventually(() => port.link.connected && other.link.connected);
            await eventually(() => port.streamNames('>').then(() => true));
          },
        });
      } finally {
        for (const name of await port.streamNames('>')) await port.deleteStream(name);
      }
    },
    close: () => server.stop(),
  };
}

export function modelledServer(): Rig {
  return {
    name: 'the model',
    open: () => Promise.resolve(),
    async run(question) {
      const world = new World(new Random('conformance'));
      const server = new Server(world, { maxPayload: 8 * 2 ** 20, url: 'nats://model:4222', maxLagMs: 0 });
      const faults = new Faults(world, [], () => undefined);
      const connect = (name: string) =>
        new Connection(new Machine(name, world), server, { faults, callOf: (subject) => subject });
      const [one, two] = [connect('one'), connect('two')];
      const bench: Bench = {
        port: one.port,
        other: two.port,
        sleep: one.machine.clock.sleep,
        async restart() {
          server.crash();
          await one.machine.clock.sleep(50);
          server.start(0);
          while (!one.connected || !two.connected) await one.machine.clock.sleep(10);
        },
      };
      let ended: { readonly error?: Error } | undefined;
      question(bench).then(
        () => (ended = {}),
        (error: unknown) => (ended = { error: error instanceof Error ? error : new Error(String(error)) }),
      );
      await world.run(() => ended !== undefined, world.now + 600_000);
      if (ended === undefined) throw new Error('the question was not answered within ten minutes of model time');
      if (ended.error !== undefined) throw ended.error;
    },
    close: () => Promise.resolve(),
  };
}

/** What became of a call, in words that do not depend on who answered. */
export async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (isStreamNotFound(error)) return 'stream not found';
    if (error instanceof JetStreamApiError) return error.code;
    if (isNobody(error)) return 'nobody answers';
    throw error;
  }
}

function isNobody(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (/no responders/.test(at.message)) return true;
  return false;
}

export const edgeSettings: StreamSettings = {
  name: 'edge',
  subjects: ['edge.>'],
  ...({ storage: 'file', retention: 'limits', discard: 'new' } as Partial<StreamSettings>),
  max_bytes: 100_000,
  allow_direct: true,
};

/** Records what a pull brings. */
export function openPull(port: JetStreamPort, stream: string, consumer: string) {
  const seen: unknown[] = [];
  const channel = port.openPull(stream, consumer, {
    delivered: ({ sequence, delivered, pending }: Delivered) => seen.push([sequence, delivered, pending]),
    status: (code, description, delivered) =>
      seen.push(
        description === '' ? code : [code, description, ...(delivered === undefined ? [] : [delivered])].join(' '),
      ),
    failed: () => seen.push('failed'),
  });
  return { channel, seen };
}
