/**
 * Whether an HTTP request to a local port was sent by a web page that must not control it.
 *
 * A browser lets every page send requests to 127.0.0.1. Two things tell such a request from one of a program:
 *
 * O1  The Host header. A page whose own name was rebound to 127.0.0.1 (DNS rebinding) is same-origin to the browser,
 *     but the header still has that name. Only names that cannot be rebound are taken: loopback ones where the
 *     connection came in on loopback, the address on which it came in, and those that the operator lists.
 * O2  Origin and Sec-Fetch-Site, which a page cannot set or leave out where they matter. A page of this very origin is
 *     welcome; a page of another port of this machine is not.
 *
 * A program sends neither of the two headers of O2, so nothing changes for curl, SDKs and probes.
 */
import { isIP } from 'node:net';
import { cut } from './text.ts';

/** What of a request this needs; Node's IncomingMessage fits. */
export interface ReceivedRequest {
  /** Names and values in turn, as they came: `headers` shows only the first Host. */
  readonly rawHeaders: readonly string[];
  /** `localAddress`: where the connection came in; undefined (a Unix socket) counts as loopback. */
  readonly socket: { readonly localAddress?: string | undefined };
}

/**
 * Why the request is refused, as a sentence; undefined when it is not foreign. `hosts`: further names of this server.
 */
export function foreignness(request: ReceivedRequest, hosts: readonly string[] = []): string | undefined {
  const [asked, second] = valuesOf(request, 'host');
  if (asked === undefined || second !== undefined) return 'The request must have exactly one Host header';
  const name = nameIn(asked);
  if (name === undefined || !isOurs(name, request.socket.localAddress, hosts)) {
    return `The Host header names ${quoted(asked)}, which is not an address of this server`;
  }
  const origin = valuesOf(request, 'origin');
  if (!origin.every((one) => isSameOrigin(one, asked))) {
    return `A web page of ${origin.map(quoted).join(', ')} sent the request`;
  }
  const site = valuesOf(request, 'sec-fetch-site');
  if (!site.every((one) => one === 'same-origin' || one === 'none')) {
    return `A web page of another origin sent the request (Sec-Fetch-Site: ${site.map(quoted).join(', ')})`;
  }
  return undefined;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The same of a URL, which has an address of version 6 in brackets. */
export function isLoopbackUrl({ hostname }: URL): boolean {
  return isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
}

function valuesOf({ rawHeaders }: ReceivedRequest, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

/** The name or address in `name`, `name:port`, `[address]:port`; undefined for what is none of these. */
function nameIn(host: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+))(?::\d{1,5})?$/.exec(host) ?? [];
  return (bracketed ?? plain)?.toLowerCase();
}

function isOurs(name: string, localAddress: string | undefined, hosts: readonly string[]): boolean {
  const arrivedAt = localAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isLoopback(name)) return arrivedAt === undefined || isLoopback(arrivedAt);
  return name === arrivedAt || hosts.some((host) => host.toLowerCase() === name);
}

/** A proxy in front may speak TLS where this server does not: the scheme is that of the page. */
function isSameOrigin(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  if (page === null || !/^https?:$/.test(page.protocol)) return false;
  return page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}

/** Foreign text, shortened and on one line. */
function quoted(text: string): string {
  return JSON.stringify(cut(text, 100));
}
