/**
 * A TCP proxy in front of nats-server that can swallow what the server answers: the client has sent its message, the
 * server has stored it, and nobody tells the client.
 */
import { createServer, connect, type Socket } from 'node:net';

export interface AckProxy {
  readonly url: string;
  /** From now on nothing the server says reaches a client. */
  swallowAnswers(): void;
  /** Ends all connections and passes everything again. */
  heal(): void;
  stop(): Promise<void>;
}

export async function startAckProxy(serverPort: number): Promise<AckProxy> {
  let swallow = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    }
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      if (!swallow) client.write(bytes);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `nats://127.0.0.1:${address.port}`,
    swallowAnswers() {
      swallow = true;
    },
    heal() {
      swallow = false;
      cut();
    },
    async stop() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
