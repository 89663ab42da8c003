/** The disk of a test's nats-server goes back to an earlier moment: copies are made and put back while it is down. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Streams } from '../../../stream/connection.ts';
import { eventually } from '../../support/eventually.ts';
import { startTestServer, type TestServer } from './server.ts';

/** Where the server stores a stream, below its directory. */
export function storeOf(stream: string): string {
  return join('store', 'jetstream', '$G', 'streams', stream);
}

/** For each test of a `describe`, which calls this: a server of its own, which is killed for every copy. */
export function withDisk(connected: (streams: Streams) => void) {
  let server: TestServer;
  let streams: Streams;
  let copies: string;

  beforeEach(async () => {
    server = await startTestServer();
    streams = await server.connect();
    copies = await mkdtemp(join(tmpdir(), 'millrace-kept-'));
    connected(streams);
  });
  afterEach(async () => {
    await server.stop();
    await rm(copies, { recursive: true, force: true });
  });

  async function whileDown(act: () => Promise<void>): Promise<void> {
    await server.crash();
    await act();
    await server.start();
    await eventually(() => streams.streamNames('>'));
  }

  return {
    /** `part`: below the server's directory; default: all of it. */
    save: (name: string, part = '') =>
      whileDown(() => cp(join(server.dir, part), join(copies, name), { recursive: true })),
    restore: (name: string, part = '') =>
      whileDown(async () => {
        await rm(join(server.dir, part), { recursive: true });
        await cp(join(copies, name), join(server.dir, part), { recursive: true });
      }),
  };
}
