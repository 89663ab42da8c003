import assert from 'node:assert/strict';
import { authInfoOf, readConfig } from '../../../workers/api/config.ts';

describe('where the API listens', () => {
  it('is loopback unless told otherwise', () => {
    const { host, port } = readConfig({});
    assert.deepEqual([host, port], ['127.0.0.1', 8088]);
  });

  for (const listen of ['127.0.0.1:1', 'localhost:1', '[::1]:1', '127.3.2.1:1']) {
    it(`may be ${listen}`, () => assert.equal(readConfig({ MILLRACE_API_LISTEN: listen }).port, 1));
  }

  for (const listen of ['0.0.0.0:8088', '[::]:8088', '10.0.0.1:8088', 'api.example:8088', '127.evil.example:8088']) {
    it(`is not ${listen} where the API asks nobody who they are, whatever else is said`, () => {
      for (const env of [{}, { MILLRACE_API_AUTH_MODE: 'none' }, { MILLRACE_API_ALLOW_REMOTE: 'true' }]) {
        assert.throws(() => readConfig({ ...env, MILLRACE_API_LISTEN: listen }), /is not a loopback address/);
      }
      const known = { MILLRACE_API_AUTH_MODE: 'kubernetes', MILLRACE_API_LISTEN: listen };
      assert.equal(readConfig(known).port, 8088);
    });
  }

  it('must be host:port', () => assert.throws(() => readConfig({ MILLRACE_API_LISTEN: '8088' }), /must be host:port/));
});

describe('how the API knows its callers', () => {
  const issuer = 'https://login.example.com';
  const oidc = {
    MILLRACE_API_AUTH_MODE: 'oidc',
    MILLRACE_API_OIDC_ISSUER: issuer,
    MILLRACE_API_AUDIENCES: 'millrace,cli',
  };

  it('is said to everybody, so that a command can log in, without what is for the API only', () => {
    const { auth } = readConfig({
      ...oidc,
      MILLRACE_API_OIDC_CLI_CLIENT_ID: 'cli',
      MILLRACE_API_OIDC_GROUPS_CLAIM: 'g',
    });
    assert.deepEqual(authInfoOf(auth), {
      ...{ mode: 'oidc', issuer, audiences: ['millrace', 'cli'], scopes: 'openid', clientId: 'cli' },
    });
    assert.deepEqual(authInfoOf(readConfig({}).auth), { mode: 'none' });
  });

  const refused: readonly (readonly [what: string, env: NodeJS.ProcessEnv, variable: RegExp])[] = [
    ['a mode that is none', { MILLRACE_API_AUTH_MODE: 'ldap' }, /MILLRACE_API_AUTH_MODE/],
    ['no issuer', { ...oidc, MILLRACE_API_OIDC_ISSUER: undefined }, /MILLRACE_API_OIDC_ISSUER/],
    [
      'an issuer without TLS',
      { ...oidc, MILLRACE_API_OIDC_ISSUER: 'http://login.example.com' },
      /must begin with https/,
    ],
    ['an issuer with a password', { ...oidc, MILLRACE_API_OIDC_ISSUER: 'https://a:b@x' }, /must have no user/],
    ['keys without TLS', { ...oidc, MILLRACE_API_OIDC_JWKS_URL: 'http://10.0.0.1/keys' }, /MILLRACE_API_OIDC_JWKS_URL/],
    ['tokens for anybody', { ...oidc, MILLRACE_API_AUDIENCES: undefined }, /it must say for whom tokens are made/],
    ['an empty audience', { ...oidc, MILLRACE_API_AUDIENCES: 'a,' }, /MILLRACE_API_AUDIENCES/],
    ['no token', { MILLRACE_API_AUTH_MODE: 'token' }, /MILLRACE_API_TOKEN_FILE/],
    ['a key that would be a header', { ...oidc, MILLRACE_API_IMPERSONATE_EXTRA: 'a\r\nb' }, /IMPERSONATE_EXTRA/],
  ];
  for (const [what, env, variable] of refused) {
    it(`is not by ${what}`, () => {
      assert.throws(
        () => readConfig(env),
        (error: Error) => error.message.includes('MR_ENVIRONMENT_INVALID') && variable.test(error.message),
      );
    });
  }
});
