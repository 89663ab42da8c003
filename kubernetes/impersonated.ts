/**
 * Requests in the name of somebody else: Kubernetes authorises, admits and audits them as if that one had sent them.
 *
 * P1  Every request of such a transport is in the caller's name: a handler that forgets it cannot act with Millrace's rights.
 * P2  Of a ServiceAccount only the name is sent: the API server knows its groups, and lets nobody else choose them.
 * P3  `system:authenticated` is not sent: the API server adds it, and so nobody needs the right to claim it.
 * P4  A name is sent as the bytes of its UTF-8, in which every header of HTTP is written; `model/caller.ts` refuses those that
 *     would arrive as another one.
 */
import type { OutgoingHttpHeaders } from 'node:http';
import { authenticatedGroup, serviceAccountOf, type Caller } from '../model/caller.ts';
import type { KubeTransport } from './transport.ts';

/** `extraKeys`: of what else is known about a caller, that which is sent. Each needs a right of its own. */
export function inTheNameOf(
  caller: Caller,
  transport: KubeTransport,
  extraKeys: readonly string[] = [],
): KubeTransport {
  const as = impersonation(caller, extraKeys);
  return {
    ...transport,
    send: (request) => transport.send({ ...request, as }),
    open: (request) => transport.open({ ...request, as }),
  };
}

/** The headers. */
export function impersonation(caller: Caller, extraKeys: readonly string[]): OutgoingHttpHeaders {
  const user = { 'impersonate-user': bytes(caller.name) };
  // P2.
  if (serviceAccountOf(caller) !== undefined) return user;
  const groups = caller.groups.filter((group) => group !== authenticatedGroup).map(bytes);
  const extra = extraKeys.flatMap((key) => {
    const values = caller.extra[key];
    return values === undefined ? [] : [[`impersonate-extra-${encodeURIComponent(key)}`, values.map(bytes)] as const];
  });
  return {
    ...user,
    ...(caller.uid === undefined ? {} : { 'impersonate-uid': bytes(caller.uid) }),
    ...(groups.length === 0 ? {} : { 'impersonate-group': groups }),
    ...Object.fromEntries(extra),
  };
}

/** P4. Node writes each character of a header as one byte. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
