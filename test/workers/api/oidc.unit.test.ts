import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK } from 'jose';
import type { Caller } from '../../../model/caller.ts';
import { MillraceError } from '../../../model/errors.ts';
import { freshForMs, lookEveryMs, staleForMs } from '../../../workers/api/identity/issuer-keys.ts';
import { oidcCallers, type OidcOptions } from '../../../workers/api/identity/oidc.ts';
import { eventually } from '../../support/eventually.ts';
import { startIssuer, type Issuer } from '../../support/issuer.ts';

const jane = { sub: 'jane', aud: 'millrace', groups: ['shop'] };
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('callers by tokens of an OIDC issuer', () => {
  let issuer: Issuer;
  let wall: number;
  let now: number;
  beforeEach(async () => {
    wall = Date.parse('2026-05-01T12:00:00Z');
    now = 0;
    issuer = await startIssuer(() => wall);
  });
  afterEach(() => issuer.stop());

  const callersWith = (options: Partial<OidcOptions> = {}) =>
    oidcCallers({ issuer: issuer.url, audiences: ['millrace'], now: () => now, wallClock: () => wall, ...options });
  const seconds = (from: number) => Math.floor(wall / 1_000) + from;

  async function problemOf(work: Promise<Caller>): Promise<string> {
    const error = await work.then(
      ({ name }) => new Error(`it was ${name}`),
      (thrown: unknown) => thrown,
    );
    ok(error instanceof MillraceError, String(error));
    return `${error.code}: ${error.sentence}`;
  }

  async function isRefused(token: string, says: RegExp, callers = callersWith()): Promise<void> {
    const problem = await problemOf(callers.authenticate(token));
    match(problem, /^MR_NOT_AUTHENTICATED/);
    match(problem, says);
    ok(!problem.includes(token), 'no token is repeated');
  }

  it('knows who a token is about, with a prefix that keeps them apart from those of Kubernetes', async () => {
    deepEqual(await callersWith().authenticate(await issuer.sign(jane)), {
      name: 'oidc:jane',
      groups: ['oidc:shop', 'system:authenticated'],
      extra: {},
    });
  });

  it('reads names and groups where it is told to', async () => {
    const token = await issuer.sign({
      ...{ ...jane, preferred_username: 'Jürgen', realm_access: { roles: ['admin'] }, 'https://x/groups': 'one' },
    });
    const named = { usernameClaim: 'preferred_username', usernamePrefix: '', groupsPrefix: 'kc:' };
    const read = async (groupsClaim: string) =>
      (await callersWith({ ...named, groupsClaim }).authenticate(token)).groups;
    deepEqual(await read('/realm_access/roles'), ['kc:admin', 'system:authenticated']);
    deepEqual(await read('https://x/groups'), ['kc:one', 'system:authenticated']);
    deepEqual(await read('none'), ['system:authenticated']);
    equal((await callersWith(named).authenticate(token)).name, 'Jürgen');
  });

  describe('O1: a signature', () => {
    it('that is none is refused (`alg: none`)', async () => {
      for (const alg of ['none', 'None', 'NONE']) {
        const payload = { ...jane, iss: issuer.url, exp: seconds(60) };
        await isRefused(`${encoded({ alg, typ: 'JWT' })}.${encoded(payload)}.`, /alg/);
      }
      deepEqual(issuer.asked, [], 'no key was looked for');
    });

    it('by the public key as a shared secret is refused (HS256)', async () => {
      const jwk = issuer.publicJwk();
      const key = await importJWK(jwk, 'ES256', { extractable: true });
      ok(!(key instanceof Uint8Array));
      const head = `${encoded({ alg: 'HS256', kid: jwk.kid })}.${encoded({ ...jane, iss: issuer.url, exp: seconds(60) })}`;
      for (const secret of [await exportSPKI(key), JSON.stringify(jwk), '']) {
        const signature = createHmac('sha256', secret).update(head).digest('base64url');
        await isRefused(`${head}.${signature}`, /none by a key pair \(`alg`\)/);
      }
    });

    it('by a shared secret that the issuer publishes by mistake is refused, too', async () => {
      issuer.publish([{ kty: 'oct', k: Buffer.from('secret').toString('base64url'), kid: 'key-1', alg: 'HS256' }]);
      const head = `${encoded({ alg: 'HS256', kid: 'key-1' })}.${encoded({ ...jane, iss: issuer.url, exp: seconds(60) })}`;
      const signature = createHmac('sha256', 'secret').update(head).digest('base64url');
      await isRefused(`${head}.${signature}`, /alg/);
    });

    it('of another issuer with the same `kid` is refused', async () => {
      const other = await startIssuer(() => wall);
      const forged = await other.sign({ ...jane, iss: issuer.url });
      await other.stop();
      await isRefused(forged, /signature is wrong/);
    });

    it('with a key that the token brings along is refused', async () => {
      const other = await startIssuer(() => wall);
      const [, payload, signature] = (await other.sign({ ...jane, iss: issuer.url })).split('.');
      const header = encoded({ alg: 'ES256', kid: 'x', jwk: other.publicJwk(), jku: `${other.url}/keys` });
      await isRefused(`${header}.${payload}.${signature}`, /key that .* does not have/);
      deepEqual(other.asked, []);
      await other.stop();
    });

    it('under changed claims is wrong', async () => {
      const [header, , signature] = (await issuer.sign(jane)).split('.');
      const payload = encoded({ ...jane, sub: 'root', iss: issuer.url, exp: seconds(60) });
      await isRefused(`${header}.${payload}.${signature}`, /signature is wrong/);
    });
  });

  describe('O2: a token', () => {
    const wrong: readonly (readonly [what: string, claims: () => object, says: RegExp])[] = [
      ['for another program', () => ({ ...jane, aud: 'another' }), /not for millrace \(`aud`\)/],
      ['for nobody', () => ({ sub: 'jane' }), /`aud`/],
      ['for a longer name', () => ({ ...jane, aud: ['millrace2', 'mill'] }), /`aud`/],
      ['of another issuer', () => ({ ...jane, iss: 'https://elsewhere' }), /`iss`/],
      ['that has expired', () => ({ ...jane, exp: seconds(-31) }), /has expired/],
      ['that never expires', () => ({ ...jane, exp: undefined }), /"exp"/],
      ['that is not valid yet', () => ({ ...jane, nbf: seconds(31) }), /not valid yet/],
      ['without a name', () => ({ ...jane, sub: undefined }), /without the claim "sub"/],
      ['with an empty name', () => ({ ...jane, sub: '' }), /claim "sub"/],
      ['with groups that are none', () => ({ ...jane, groups: [{ admin: true }] }), /no list of groups/],
    ];
    for (const [what, claims, says] of wrong) {
      it(`${what} is refused`, async () => isRefused(await issuer.sign(claims()), says));
    }

    it('may be half a minute early or late: clocks differ', async () => {
      for (const claims of [{ exp: seconds(-29) }, { nbf: seconds(29) }]) {
        equal((await callersWith().authenticate(await issuer.sign({ ...jane, ...claims }))).name, 'oidc:jane');
        await rejects(callersWith({ clockSkewSeconds: 0 }).authenticate(await issuer.sign({ ...jane, ...claims })));
      }
    });

    it('that the issuer signs for something else is refused', async () => {
      await isRefused(await issuer.sign(jane, { typ: 'logout+jwt' }), /`typ`/);
      for (const typ of ['JWT', 'at+jwt']) await callersWith().authenticate(await issuer.sign(jane, { typ }));
    });

    for (const token of ['', 'x', 'a.b.c', '..', `${'a'.repeat(20_000)}.b.c`, '{"alg":"none"}']) {
      it(`that is none is refused: ${token.slice(0, 20)}`, () => isRefused(`${token}~`, /./));
    }
  });

  describe('O3: a name', () => {
    it('of Kubernetes itself is never taken from a token', async () => {
      const bare = callersWith({ usernamePrefix: '', groupsPrefix: '' });
      const reserved = ['system:admin', 'system:serviceaccount:kube-system:admin', 'system:node:a'];
      for (const sub of reserved)
        await isRefused(await issuer.sign({ ...jane, sub }), /a name that begins with system:/, bare);
      await isRefused(
        await issuer.sign({ ...jane, groups: ['system:masters'] }),
        /group that begins with system:/,
        bare,
      );
      equal(
        (await callersWith().authenticate(await issuer.sign({ ...jane, sub: 'system:admin' }))).name,
        'oidc:system:admin',
      );
    });

    for (const sub of [
      'jane ',
      'jane\r\nImpersonate-Group: system:masters',
      'jane\u0000',
      'ja\tne',
      'ja\u200bne',
      'jane\u202e',
      'x'.repeat(2_000),
    ]) {
      it(`that would be another one in a header is refused: ${JSON.stringify(sub.slice(0, 12))}`, async () => {
        await isRefused(await issuer.sign({ ...jane, sub }), /a name/);
        await isRefused(await issuer.sign({ ...jane, groups: [sub] }), /a group/);
      });
    }

    it('that is an e-mail address must have been verified', async () => {
      const mailed = callersWith({ usernameClaim: 'email' });
      const claims = { ...jane, email: 'jane@example.com' };
      await isRefused(await issuer.sign({ ...claims, email_verified: false }), /not verified/, mailed);
      equal((await mailed.authenticate(await issuer.sign(claims))).name, 'oidc:jane@example.com');
    });
  });

  describe('the keys of the issuer', () => {
    it('J2: are looked for again when a token has one that is not known, as after a rotation', async () => {
      const callers = callersWith();
      await callers.authenticate(await issuer.sign(jane));
      await issuer.rotate();
      now += lookEveryMs;
      await callers.authenticate(await issuer.sign(jane));
      equal(issuer.asked.length, 4, 'two looks, of two requests each');
    });

    it('J2: are not looked for again by a flood of tokens with made-up keys', async () => {
      const callers = callersWith();
      await callers.authenticate(await issuer.sign(jane));
      for (let round = 0; round < 3; round++) {
        now += lookEveryMs;
        const forged = Array.from({ length: 100 }, (_, index) => issuer.sign(jane, { kid: `made-up-${index}` }));
        const answers = await Promise.allSettled(
          (await Promise.all(forged)).map((token) => callers.authenticate(token)),
        );
        ok(answers.every(({ status }) => status === 'rejected'));
      }
      equal(issuer.asked.length, 2 + 3 * 2);
      await callers.authenticate(await issuer.sign(jane));
    });

    it('J1: that the issuer has given up are not believed after ten minutes', async () => {
      const callers = callersWith();
      const old = await issuer.sign(jane);
      await callers.authenticate(old);
      await issuer.rotate();
      await callers.authenticate(old);
      now += freshForMs;
      await callers.authenticate(old).catch(() => undefined);
      await eventually(() => isRefused(old, /key that .* does not have/, callers));
    });

    it('J3: hold for an hour while the issuer does not answer, and no longer', async () => {
      const callers = callersWith();
      const token = await issuer.sign({ ...jane, exp: seconds(100_000) });
      await callers.authenticate(token);
      issuer.answer((_request, response) => response.destroy());
      now += staleForMs - 1;
      await callers.authenticate(token);
      now += lookEveryMs;
      match(await problemOf(callers.authenticate(token)), /^MR_IDENTITY_UNKNOWN: It is not known who asks/);
      issuer.answer(undefined);
      now += lookEveryMs;
      await callers.authenticate(token);
    });

    it('J3: are waited for by nobody while the last ones hold', async () => {
      const callers = callersWith();
      const token = await issuer.sign({ ...jane, exp: seconds(100_000) });
      await callers.authenticate(token);
      const isAsked = Promise.withResolvers<undefined>();
      const isLeft = Promise.withResolvers<undefined>();
      issuer.answer((_request, response) => {
        isAsked.resolve(undefined);
        void isLeft.promise.then(() => response.destroy());
      });
      now += freshForMs;
      // It would hang here: the issuer answers only after that.
      equal((await callers.authenticate(token)).name, 'oidc:jane');
      await isAsked.promise;
      equal((await callers.authenticate(token)).name, 'oidc:jane');
      isLeft.resolve(undefined);
    });

    const broken: readonly (readonly [what: string, answer: Parameters<Issuer['answer']>[0]])[] = [
      ['does not answer', (_request, response) => response.destroy()],
      ['has an error', (_request, response) => response.writeHead(500).end()],
      ['answers with a page', (_request, response) => response.end('<html>')],
      [
        'says that it is another one',
        (_request, response) => response.end('{"issuer":"https://x","jwks_uri":"https://x/k"}'),
      ],
      ['sends elsewhere', (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1/keys' }).end()],
      [
        'has keys without TLS',
        (request, response) => {
          const document = { issuer: `http://${request.headers.host}`, jwks_uri: 'http://10.0.0.1/keys' };
          response.end(JSON.stringify(document));
        },
      ],
      ['never ends its answer', (_request, response) => response.end('x'.repeat(2 * 1024 * 1024))],
    ];
    for (const [what, answer] of broken) {
      it(`J3: without any nobody is known: the issuer ${what}, and is asked once in ten seconds`, async () => {
        issuer.answer(answer);
        const callers = callersWith();
        for (let count = 0; count < 20; count++) {
          match(await problemOf(callers.authenticate(await issuer.sign(jane))), /^MR_IDENTITY_UNKNOWN/);
        }
        equal(issuer.asked.length, 1);
        issuer.answer(undefined);
        now += lookEveryMs;
        await callers.authenticate(await issuer.sign(jane));
      });
    }
  });
});
