/**
 * A TCP proxy on loopback that can break the link behind it in the ways in which networks do.
 *
 *   pass       everything goes through
 *   refuse     connections are reset, old and new
 *   blackhole  connections stay open and nothing moves, in either direction, without notice to either side
 *   mute       what the client sends arrives, but the server's answers do not: the effect happens, the answer is lost
 *   slow       every chunk waits `delayMs`
 *
 * And a connection can be cut in the place of the answer to a certain request (`loseAnswerTo`).
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type LinkMode = 'pass' | 'refuse' | 'blackhole' | 'mute' | 'slow';

export interface TcpProxy {
  readonly port: number;
  readonly mode: LinkMode;
  /** Connections that were open in a mode that lost bytes are closed when it ends, as a network's timeouts would do. */
  set(mode: LinkMode): void;
  /** Chunks that were swallowed since the mode was set. */
  readonly lost: number;
  /** Who sends this finds its connection closed instead of an answer. Undefined: nobody any more. */
  loseAnswerTo(sent: string | undefined): void;
  close(): Promise<void>;
}

const delayMs = 150;

export async function startTcpProxy(toPort: number, listenPort = 0): Promise<TcpProxy> {
  let mode: LinkMode = 'pass';
  let lost = 0;
  let unanswered: string | undefined;
  const links = new Set<Socket>();
  const server = createServer((client) => {
    if (mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(toPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      links.add(socket);
      socket.once('close', () => links.delete(socket));
    }
    let isUnanswered = false;
    const isLost = (loses: boolean) => {
      if (loses) lost++;
      return loses;
    };
    client.on('data', (bytes) => (isUnanswered ||= unanswered !== undefined && bytes.includes(unanswered)));
    upstream.on('data', () => {
      if (isUnanswered) client.destroy();
    });
    forward(
      client,
      upstream,
      () => isLost(mode === 'blackhole'),
      () => mode,
    );
    forward(
      upstream,
      client,
      () => isLost(isUnanswered || mode === 'blackhole' || mode === 'mute'),
      () => mode,
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listenPort, '127.0.0.1', resolve);
  });
  const cut = () => links.forEach((socket) => socket.resetAndDestroy());
  return {
    port: (server.address() as AddressInfo).port,
    get mode() {
      return mode;
    },
    set(next) {
      const hasLost = mode === 'blackhole' || mode === 'mute';
      mode = next;
      lost = 0;
      if (hasLost || next === 'refuse') cut();
    },
    get lost() {
      return lost;
    },
    loseAnswerTo: (sent) => (unanswered = sent),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}

function forward(from: Socket, to: Socket, isLost: () => boolean, mode: () => LinkMode): void {
  let last = Promise.resolve();
  from.on('data', (bytes) => {
    if (isLost()) return;
    if (mode() === 'slow') {
      // In order: each chunk waits for the previous one.
      last = Promise.all([last, new Promise((resolve) => setTimeout(resolve, delayMs))]).then(
        () => void to.write(bytes),
      );
      return;
    }
    void last.then(() => to.write(bytes));
  });
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}
