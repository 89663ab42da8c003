import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { findReferences, resolveReferences } from '../../model/credentials.ts';

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
