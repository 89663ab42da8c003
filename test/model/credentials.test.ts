import { deepEqual, equal, match, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { findReferences, identityOf, resolveReferences } from '../../model/credentials.ts';
import { mr } from '../../model/errors.ts';

describe('references to Secrets and ConfigMaps', () => {
  it('are found anywhere in text, lists and objects, each once', () => {
    const { refs, malformed } = findReferences({
      url: 'https://$(configMap:ch/host):8443',
      list: ['$(secret:ch/user)$(secret:ch/password)', '$(secret:ch/user)'],
    });
    deepEqual(refs, [
      { kind: 'configMap', name: 'ch', key: 'host' },
      { kind: 'secret', name: 'ch', key: 'user' },
      { kind: 'secret', name: 'ch', key: 'password' },
    ]);
    deepEqual(malformed, []);
  });

  for (const text of [
    '$(secret:ch)',
    '$(Secret:ch/key)',
    '$(secret:a.b/key)',
    '$( secret:ch/key)',
    '$(configmap:ch/key)',
    '$(secret:ch/key',
  ]) {
    it(`are malformed when written as ${text}`, () => deepEqual(findReferences({ a: [text] }).malformed, [['a', 0]]));
  }

  it('leave other text alone', () => {
    const value = { a: '$(date)', b: '$secret', c: '(secret:a/b)', d: 1, e: null };
    deepEqual(findReferences(value), { refs: [], malformed: [] });
    deepEqual(
      resolveReferences(value, () => 'no'),
      value,
    );
  });

  it('are resolved once: what a Secret holds is not looked at again', () => {
    equal(
      resolveReferences('<$(secret:a/b)>', () => '$(secret:c/d)$&'),
      '<$(secret:c/d)$&>',
    );
  });

  it('are found exactly when they are resolved', () => {
    const part = fc.constantFrom('$(secret:a/b)', '$(configMap:c-d/e.f)', '$(secret:', ')', 'x', '$', '(');
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const resolved = new Set<string>();
        resolveReferences(parts.join(''), (ref) => {
          resolved.add(JSON.stringify(ref));
          return '';
        });
        deepEqual(
          [...resolved],
          findReferences(parts.join('')).refs.map((ref) => JSON.stringify(ref)),
        );
      }),
    );
  });
});

describe('as whom a connector comes', () => {
  const rows: [what: string, config: Parameters<typeof identityOf>[0], user: string, credentials: string][] = [
    [
      'a sink with a password from a Secret',
      { url: 'http://ch:8123', username: 'app', password: '$(secret:ch/password)' },
      'user "app"',
      'username, password (key "password" of Secret "ch")',
    ],
    [
      'a source with SASL and a client certificate',
      {
        brokers: ['$(configMap:kafka/broker)'],
        tls: { ca: '$(secret:kafka/ca)', cert: '$(secret:kafka/cert)', key: '$(secret:kafka/key)' },
        sasl: {
          mechanism: 'Plain',
          username: '$(configMap:kafka/user)',
          password: '$(secret:kafka/a)$(secret:kafka/b)',
        },
      },
      'user "$(configMap:kafka/user)"',
      'username (key "user" of ConfigMap "kafka"), password (key "a" of Secret "kafka", key "b" of Secret "kafka"), cert (key "cert" of Secret "kafka"), key (key "key" of Secret "kafka")',
    ],
    ['a user without a password', { username: 'default' }, 'user "default"', 'username'],
    ['nobody', { brokers: ['kafka:9092'] }, 'its user', 'whether it asks for a user'],
  ];
  for (const [what, config, user, credentials] of rows) {
    it(`is said with the user and the names of Secrets and keys: ${what}`, () => {
      deepEqual(identityOf(config), { user, credentials });
    });
  }

  for (const code of ['MR_SINK_AUTH_REJECTED', 'MR_SOURCE_AUTH_REJECTED'] as const) {
    it(`${code} names user, Secret and key`, () => {
      const identity = identityOf({ username: 'app', password: '$(secret:ch/password)' });
      const { sentence } = mr(code, { source: 'orders', sink: 'orders', server: 'ch:8123', ...identity });
      match(
        sentence,
        /^ch:8123 rejected user "app" of (sink|source) "orders"\. Check username, password \(key "password" of Secret "ch"\) and/,
      );
    });
  }

  it('never repeats what stands where a secret should', () => {
    const text = fc.stringMatching(/^[a-z]{12,20}$/);
    fc.assert(
      fc.property(text, fc.constantFrom('password', 'token', 'key', 'cert'), (value, name) => {
        const { user, credentials } = identityOf({ sasl: { [name]: value }, [name]: value });
        ok(!`${user} ${credentials}`.includes(value));
      }),
    );
  });
});
