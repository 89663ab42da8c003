/** A small issuer of OIDC on loopback: its discovery document and its keys, which a test may exchange, hide or break. */
import { createServer, type RequestListener } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { listenOn } from '../../workers/process/listen.ts';

export interface Issuer {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** Signed with the newest key, for an hour. */
  sign(
    claims: object,
    header?: { readonly alg?: string; readonly kid?: string; readonly typ?: string },
  ): Promise<string>;
  /** The keys that it gives, in place of those it signs with. */
  publish(keys: readonly JWK[]): void;
  /** A new key, in place of the others. */
  rotate(): Promise<void>;
  /** Answers everything so; undefined: as usual. */
  answer(how: RequestListener | undefined): void;
  readonly publicJwk: () => JWK;
  stop(): Promise<void>;
}

export async function startIssuer(at: () => number = Date.now): Promise<Issuer> {
  const asked: string[] = [];
  let published: readonly JWK[] = [];
  let key: { readonly kid: string; readonly privateKey: CryptoKey };
  let made = 0;
  let other: RequestListener | undefined;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (other !== undefined) return other(request, response);
    const body = request.url === '/keys' ? { keys: published } : { issuer: url, jwks_uri: `${url}/keys` };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
  const listening = await listenOn(server, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${listening.port}`;
  const issuer: Issuer = {
    ...{ url, asked },
    sign(claims, { alg = 'ES256', kid = key.kid, typ } = {}) {
      const seconds = Math.floor(at() / 1_000);
      return new SignJWT({ iss: url, iat: seconds, exp: seconds + 3_600, ...claims })
        .setProtectedHeader({ alg, kid, ...(typ === undefined ? {} : { typ }) })
        .sign(key.privateKey);
    },
    publish: (keys) => void (published = keys),
    async rotate() {
      const pair = await generateKeyPair('ES256', { extractable: true });
      key = { kid: `key-${++made}`, privateKey: pair.privateKey };
      published = [{ ...(await exportJWK(pair.publicKey)), kid: key.kid, alg: 'ES256', use: 'sig' }];
    },
    answer: (how) => void (other = how),
    publicJwk: () => published[0] ?? {},
    stop: listening.close,
  };
  await issuer.rotate();
  return issuer;
}
