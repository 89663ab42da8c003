/**
 * Who may ask the API.
 *
 * G1  No web page of another origin, whatever its method, its content type and the name by which it came here
 *     (`model/request-origin.ts`).
 * G2  Where there is a token, only who sends it. Routes marked `isOpen` tell nothing that is not in the package: they
 *     answer to all, so that probes and generators of clients need no secret.
 * G3  A refused request reaches no handler, and its body is not read.
 *
 * Records go to a source that may want a token of its own in `Authorization`. So the API's may come in a header of its
 * own, and is never handed on to a pod.
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
  /** Undefined: who reaches the API may ask it. */
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
      // Only what is not for the API goes on to a pod.
      if (isRight(bearerOf(authorization) ?? '')) delete request.headers.authorization;
      return;
    }
    reply.header('www-authenticate', 'Bearer');
    throw mr('MR_API_TOKEN_REQUIRED', { what: sent.length === 0 ? 'none' : 'another one' });
  });
}

/** Compares digests, whose length tells nothing, in constant time. */
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
