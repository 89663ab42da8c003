/**
 * Who may use the API, checked before everything else.
 *
 * G1  No web page of another origin, whatever the method, the content type and the host name of the request
 *     (`model/request-origin.ts`).
 * G2  Where the API asks who its callers are, or for its token, only those who show it. Routes marked `isOpen` contain nothing
 *     that is not in the package, and answer everybody, so that probes and client generators need no secret.
 * G3  A refused request reaches no handler, and its body is not read.
 * G4  Each route says what it needs (`identity/needs.ts`); one that says nothing is a mistake, found when the server is built.
 * G5  Whoever makes tokens up keeps nobody out who was known before. Where tokens are looked at here (`oidc`), nobody at all:
 *     only wrong ones count. Where Kubernetes is asked about them, those that were never right are few for each address and few
 *     at a time, and so whoever is new at an address that makes them up has to wait: behind a proxy that is everybody's.
 * G6  A body may be long in coming: who asks, and whether they may, is asked again when it is there. Records are passed on as
 *     they come, and are not.
 *
 * A source may require its own token for records in `Authorization`. So the API's token may come in a separate header,
 * which is never forwarded to a pod; and neither is that of `Authorization` when it was for the API.
 */
import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Caller } from '../../model/caller.ts';
import { MillraceError, mr, problemOf } from '../../model/errors.ts';
import { foreignness } from '../../model/request-origin.ts';
import type { Api } from './api.ts';
import { digestOf, type Identity } from './identity/identity.ts';
import type { At } from './identity/needs.ts';
import { boundedMap, type Now } from './identity/remembered.ts';
import { RateLimit, senderOf, type Rate } from './rate-limit.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** G2. */
    isOpen?: boolean;
  }
  interface FastifyRequest {
    /** G2. Whoever is not has no part in what becomes of it. */
    isLetIn: boolean;
    /** Null: the API has not asked who it is. */
    caller: Caller | null;
    /** Who asks now, by the token that was shown before (G6). Null: nobody is asked for. */
    askAgain: (() => Promise<Caller>) | null;
    /** Counts as a request of the caller. Throws MR_TOO_MANY_REQUESTS. */
    charge: () => void;
  }
}

export interface Access {
  /** One token for all callers, who are not told apart. Neither it nor `identity`: everybody who can reach the API may use it. */
  readonly token?: string | undefined;
  readonly identity?: Identity | undefined;
  /** Names of the API besides its addresses. */
  readonly hosts?: readonly string[];
  /** Undefined: no limits. */
  readonly rates?: Rates | undefined;
}

export interface Rates {
  /** Of each caller. Records count only where they are refused or Kubernetes is asked: a source says itself how many it takes. */
  readonly caller: Rate;
  /** Of each address: with tokens that were not right before. */
  readonly stranger: Rate;
}

/** Shows the API's token, or who one is, where `Authorization` is for the source. */
const tokenHeader = 'millrace-token';
const shortestToken = 16;
/** G5: whoever was known within this time is no stranger. */
const knownForMs = 60 * 60_000;
const unknownTokens = 'with tokens that are not known';
/** How many of them Kubernetes is asked about at a time, whoever sends them. */
const mostStrangers = 32;
const tooManyStrangers = {
  question: 'who asks',
  problem: `${mostStrangers} tokens that are not known are being looked at`,
  who: 'Kubernetes',
};
const at = z.object({ namespace: z.string().optional(), name: z.string().optional() });

export function guard(server: Api, access: Access, now: Now): void {
  const { hosts = [], identity } = access;
  const identify = identifier(access, now);
  const callers = access.rates && new RateLimit(access.rates.caller, now);
  server.decorateRequest('isLetIn', false);
  server.decorateRequest('caller', null);
  server.decorateRequest('charge', () => undefined);
  server.decorateRequest('askAgain', null);
  requireNeeds(server);
  server.addHook('onRequest', async (request, reply) => {
    const problem = foreignness(request.raw, hosts);
    if (problem !== undefined) throw mr('MR_REQUEST_FOREIGN', { problem });
    const { isOpen, needs = [] } = request.routeOptions.config;
    if (identify === undefined || isOpen === true) {
      request.isLetIn = true;
      return;
    }
    request.caller = (await challenging(reply, showsToken(request.headers), () => identify(request))) ?? null;
    request.isLetIn = true;
    const { caller } = request;
    if (caller === null || identity === undefined) return;
    const charge = () => mustHaveRoom(callers, caller.name, 'of one caller');
    if (takesRecords(request)) request.charge = charge;
    else charge();
    for (const need of needs) await identity.authorise(caller, need, aboutWhat(request), request.charge);
  });
  server.addHook('preHandler', async (request, reply) => {
    const { askAgain, routeOptions } = request;
    const { needs = [] } = routeOptions.config;
    if (identity === undefined || askAgain === null || takesRecords(request)) return;
    const caller = await challenging(reply, true, askAgain);
    request.caller = caller;
    for (const need of needs) await identity.authorise(caller, need, aboutWhat(request));
  });
}

/** Its body is a stream that nobody waits for. */
export function takesRecords({ routeOptions }: Pick<FastifyRequest, 'routeOptions'>): boolean {
  return routeOptions.config.needs?.includes('create records') ?? false;
}

/** G4. */
function requireNeeds(server: Api): void {
  server.addHook('onRoute', ({ url, config }) => {
    if (config?.isOpen === true || config?.needs !== undefined) return;
    throw new TypeError(`the route ${url} must say what its callers need`);
  });
}

/** Namespace and name, as the path has them. */
export function aboutWhat({ params }: Pick<FastifyRequest, 'params'>): At {
  return at.parse(params);
}

/** Undefined: it is one of those who are not told apart. */
type Identify = (request: FastifyRequest) => Promise<Caller> | undefined;

/** Undefined: everybody may use the API. */
function identifier({ token, identity, rates }: Access, now: Now): Identify | undefined {
  if (identity === undefined) return token === undefined ? undefined : sharedToken(token, rates, now);
  const isKnown = boundedMap<object>(10_000, now);
  const asStranger = strangersOf(identity, rates && new RateLimit(rates.stranger, now));
  return async (request) => {
    const { headers, ip } = request;
    const { own, bearer } = tokensIn(headers);
    const sent = own ?? bearer;
    if (sent === undefined) throw mr('MR_NOT_AUTHENTICATED', { problem: 'no token' });
    if (bearer === sent) delete headers.authorization;
    const digest = digestOf(sent);
    const ask = () => identity.authenticate(sent);
    const caller = await (isKnown.has(digest) ? ask() : asStranger(ask, senderOf(ip)));
    isKnown.set(digest, {}, { ttl: knownForMs });
    request.askAgain = ask;
    return caller;
  };
}

type AsStranger = (ask: () => Promise<Caller>, sender: string) => Promise<Caller>;

/** G5. */
function strangersOf({ asksNobody }: Identity, limit: RateLimit | undefined): AsStranger {
  const charge = (sender: string) => mustHaveRoom(limit, sender, unknownTokens);
  if (asksNobody === true) {
    return async (ask, sender) => {
      try {
        return await ask();
      } catch (error) {
        if (error instanceof MillraceError && error.http === 401) charge(sender);
        throw error;
      }
    };
  }
  let asking = 0;
  return async (ask, sender) => {
    charge(sender);
    if (asking >= mostStrangers) throw mr('MR_IDENTITY_UNKNOWN', tooManyStrangers);
    asking++;
    try {
      return await ask();
    } finally {
      asking--;
    }
  };
}

function sharedToken(token: string, rates: Rates | undefined, now: Now): Identify {
  const isRight = tokenCheck(token);
  const strangers = rates && new RateLimit(rates.stranger, now);
  return ({ headers, ip }) => {
    const { own, bearer } = tokensIn(headers);
    const sent = [own, bearer].filter((one) => one !== undefined);
    if (!sent.some(isRight)) {
      if (sent.length > 0) mustHaveRoom(strangers, senderOf(ip), unknownTokens);
      throw mr('MR_API_TOKEN_REQUIRED', { what: sent.length === 0 ? 'none' : 'another one' });
    }
    if (isRight(bearer ?? '')) delete headers.authorization;
    return undefined;
  };
}

function mustHaveRoom(limit: RateLimit | undefined, sender: string, from: string): void {
  if (limit === undefined || limit.take(sender)) return;
  const { perSecond, burst } = limit.rate;
  throw mr('MR_TOO_MANY_REQUESTS', { from, rate: perSecond, burst });
}

async function challenging<T>(reply: FastifyReply, isShown: boolean, ask: () => T): Promise<Awaited<T>> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof MillraceError && error.http === 401) reply.header('www-authenticate', challenge(isShown));
    throw error;
  }
}

/** RFC 6750: whoever sends no token is told nothing about errors. */
function challenge(isShown: boolean): string {
  return `Bearer realm="millrace"${isShown ? ', error="invalid_token"' : ''}`;
}

function showsToken(headers: IncomingHttpHeaders): boolean {
  return Object.keys(tokensIn(headers)).length > 0;
}

/** Compares digests, so that neither time nor length tells anything. */
function tokenCheck(token: string): (sent: string) => boolean {
  const right = Buffer.from(digestOf(token));
  return (sent) => timingSafeEqual(Buffer.from(digestOf(sent)), right);
}

function tokensIn({ authorization, [tokenHeader]: own }: IncomingHttpHeaders): { own?: string; bearer?: string } {
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  return {
    ...(typeof own === 'string' && own !== '' ? { own } : {}),
    ...(bearer === undefined ? {} : { bearer }),
  };
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
