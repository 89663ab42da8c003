/**
 * In front of a PostgreSQL server: one that says all it says of errors in another language. What is no text (SQLSTATE,
 * `routine`, names, places) stays.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Severity, message, detail, hint and context. */
const texts = new Set(['S', 'M', 'D', 'H', 'W']);
const words = 'etwas ganz anderes';

export interface ForeignWords {
  readonly port: number;
  close(): Promise<void>;
}

export async function startForeignWords(serverPort: number): Promise<ForeignWords> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      // Many small messages, each of which would wait for the answer to the one before.
      socket.setNoDelay();
      socket.on('error', () => client.destroy()).on('close', () => void (upstream.destroy(), client.destroy()));
    }
    client.pipe(upstream);
    let left: Buffer = Buffer.alloc(0);
    upstream.on('data', (bytes: Buffer) => {
      left = Buffer.concat([left, bytes]);
      for (let end = endOf(left); end <= left.length; end = endOf(left)) {
        const message = left.subarray(0, end);
        left = left.subarray(end);
        client.write(message[0] === 'E'.charCodeAt(0) ? translated(message) : message);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a port was expected');
  return {
    port: address.port,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Of the first message, which is a letter and its length; Infinity while that is not there. */
function endOf(bytes: Buffer): number {
  return bytes.length < 5 ? Infinity : 1 + bytes.readInt32BE(1);
}

/** As many lines, and with the names and values that the server puts into its sentences. */
function inOtherWords(text: string): string {
  return text
    .split('\n')
    .map((line) => [words, ...(line.match(/"[^"]*"/g) ?? [])].join(' '))
    .join('\n');
}

function translated(message: Buffer): Buffer {
  const fields = message.subarray(5).toString('utf8').split('\0').filter(Boolean);
  const said = fields.map((field) => (texts.has(field[0] ?? '') ? `${field[0]}${inOtherWords(field)}` : field));
  const body = Buffer.from(`${said.join('\0')}\0\0`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from('E'), length, body]);
}
