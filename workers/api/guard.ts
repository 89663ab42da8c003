/**
 * Who may use the API.
 *
 * G1  No web page of another origin, whatever the method, the content type and the host name of the request
 *     (`model/request-origin.ts`).
 * G2  If a token is configured, only requests that carry it. Routes marked `isOpen` contain nothing that is not in the
 *     package, and answer everybody, so that probes and client generators need no secret.
 * G3  A refused request reaches no handler, and its body is not read.
 *
 * A source may require its own token for records in `Authorization`. So the API's token may come in a separate header,
 * which is never forwarded to a pod.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { mr, problemOf } from '../../model/errors.ts';
import { foreignness } from '../../model/request-origin.ts';
import type { Api } from './api.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** G2. */
    isOpen?: boolean;
  }
}

export interface Access {
  /** Undefined: everybody who can reach the API may use it. */
  readonly token?: string | undefined;
  /** Names of the API besides its addresses. */
  readonly hosts?: readonly string[];
}

const tokenHeader = 'millrace-token';
const shortestToken = 16;

export function guard(server: Api, { token, hosts = [] }: Access): void {
  const isRight = tokenCheck(token);
  server.addHook('onRequest', async (request, reply) => {
    const problem = foreignness(request.raw, hosts);
    if (problem !== undefined) throw mr('MR_REQUEST_FOREIGN', { problem });
    if (isRight === undefined || request.routeOptions.config.isOpen === true) return;
    const { authorization, [tokenHeader]: own } = request.headers;
    const sent = [own, bearerOf(authorization)].filter((one) => typeof one === 'string');
    if (sent.some(isRight)) {
      // The API's own token is not forwarded to a pod.
      if (isRight(bearerOf(authorization) ?? '')) delete request.headers.authorization;
      return;
    }
    reply.header('www-authenticate', 'Bearer');
    throw mr('MR_API_TOKEN_REQUIRED', { what: sent.length === 0 ? 'none' : 'another one' });
  });
}

/** Compares digests, so that neither time nor length tells anything. Undefined: no token is configured. */
function tokenCheck(token: string | undefined): ((sent: string) => boolean) | undefined {
  if (token === undefined) return undefined;
  const right = digest(token);
  return (sent) => timingSafeEqual(digest(sent), right);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function bearerOf(authorization: IncomingHttpHeaders['authorization']): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}

/** The token in a file, without the line's end. */
export function readToken(file: string): string {
  const refuse = (problem: string, cause?: unknown) =>
    mr('MR_ENVIRONMENT_INVALID', { variable: 'MILLRACE_API_TOKEN_FILE', problem }, { cause });
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw refuse(problemOf(error), error);
  }
  if (token.length < shortestToken || /\s/.test(token)) {
    throw refuse(`${file} must hold one token of at least ${shortestToken} characters`);
  }
  return token;
}
