/** Where a process listens: `host:port`, `[::1]:9000`, or port 0 for a free one; and the listening itself. */
import type { Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import { isIP } from 'node:net';
import { z } from 'zod';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A variable of the environment, such as MILLRACE_HEALTH_LISTEN. */
export const listenAddress = z.string().transform((text, context): ListenAddress => {
  const parsed = parseListenAddress(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'must be host:port, such as 127.0.0.1:9000 or [::1]:9000' });
  return z.NEVER;
});

/** Undefined when it is not an address to listen on. An IPv6 address is in brackets, as in a URL. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined;
  return plain === undefined ? undefined : { host: plain, port };
}

export interface Listening {
  /** The requested port, or the free one that was found. */
  readonly port: number;
  /** Also ends open connections: a scraper that keeps one must not delay the shutdown. */
  close(): Promise<void>;
}

/** Rejects when the address is not available. */
export async function listenOn(server: Server | SecureServer, { host, port }: ListenAddress): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
