/**
 * The keys with which an issuer of OIDC signs: found by its discovery document, kept, and looked for again.
 *
 * J1  Keys are looked at again with the first token after {@link freshForMs}, so that one that the issuer gave up is believed no
 *     longer than that look takes. Nobody waits for it.
 * J2  A token with a key that is not known makes one look, and no more than one in {@link lookEveryMs}, however many such
 *     tokens come: whoever makes up keys does not make the issuer busy.
 * J3  While the issuer does not answer, its last keys hold for {@link staleForMs}: its outage is not one of Millrace. Without
 *     any keys nobody is known, which is MR_IDENTITY_UNKNOWN.
 * J4  Only HTTPS, but for a loopback address; no redirection is followed.
 */
import { createLocalJWKSet, errors, type JWTVerifyGetKey, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { mr } from '../../../model/errors.ts';
import { isLoopbackUrl } from '../../../model/request-origin.ts';
import type { Now } from './remembered.ts';

export const freshForMs = 10 * 60_000;
export const staleForMs = 60 * 60_000;
export const lookEveryMs = 10_000;
const answerWithinMs = 5_000;
const maxAnswerBytes = 1024 * 1024;

const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.string() });
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

export interface IssuerKeysOptions {
  /** As in the claim `iss`. */
  readonly issuer: string;
  /** Undefined: where the discovery document says. */
  readonly jwksUrl?: string | undefined;
  readonly now: Now;
}

interface Keys {
  readonly find: JWTVerifyGetKey;
  readonly at: number;
}

export function issuerKeys({ issuer, jwksUrl, now }: IssuerKeysOptions): JWTVerifyGetKey {
  let known: Keys | undefined;
  let lookedAt = -Infinity;
  let problem: unknown = new Error('it was not asked yet');
  let looking: Promise<void> | undefined;

  /** J2. */
  function look(): Promise<void> {
    if (looking !== undefined) return looking;
    if (now() - lookedAt < lookEveryMs) return Promise.resolve();
    lookedAt = now();
    looking = load()
      .then(
        (keys) => void (known = { find: createLocalJWKSet(keys), at: now() }),
        (error: unknown) => void (problem = error),
      )
      .finally(() => (looking = undefined));
    return looking;
  }

  async function load(): Promise<JSONWebKeySet> {
    const url = jwksUrl ?? (await discovered());
    return keySet.parse(await getJson(url));
  }

  async function discovered(): Promise<string> {
    const at = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const document = discovery.parse(await getJson(at));
    if (document.issuer === issuer) return document.jwks_uri;
    throw new Error(`${at} is about the issuer "${document.issuer}"`);
  }

  function usable(): Keys {
    if (known !== undefined && now() - known.at < staleForMs) return known;
    const said = { question: 'who asks', problem: `${issuer} gives no keys`, who: 'the issuer' };
    throw mr('MR_IDENTITY_UNKNOWN', said, { cause: problem });
  }

  return async (header, token) => {
    const age = known === undefined ? Infinity : now() - known.at;
    if (age >= staleForMs) await look();
    else if (age >= freshForMs) void look();
    const keys = usable();
    try {
      return await keys.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await look();
      const later = usable();
      if (later === keys) throw error;
      return later.find(header, token);
    }
  };
}

/** J4. */
export function urlFault(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null) return 'must be a URL';
  const isLocal = url.protocol === 'http:' && isLoopbackUrl(url);
  if (url.protocol !== 'https:' && !isLocal) return 'must begin with https://';
  return url.username === '' && url.password === '' && url.hash === ''
    ? undefined
    : 'must have no user and no fragment';
}

async function getJson(url: string): Promise<unknown> {
  const fault = urlFault(url);
  if (fault !== undefined) throw new Error(`${url} ${fault}`);
  const answer = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(answerWithinMs),
  });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  const parsed: unknown = JSON.parse(await boundedText(answer, url));
  return parsed;
}

async function boundedText({ body }: Response, url: string): Promise<string> {
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = body?.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const chunk = await reader?.read();
    if (chunk?.value === undefined) return Buffer.concat(chunks).toString('utf8');
    bytes += chunk.value.byteLength;
    if (bytes > maxAnswerBytes) {
      await reader?.cancel();
      throw new Error(`${url} answers with more than ${maxAnswerBytes} bytes`);
    }
    chunks.push(chunk.value);
  }
}
