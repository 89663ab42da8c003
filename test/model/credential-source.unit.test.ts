import assert from 'node:assert/strict';
import { parseSourceText, sourceKindOf, sourceText } from '../../model/credential-source.ts';

describe('the text of what credentials were copied from', () => {
  for (const kind of ['secret', 'configMap'] as const) {
    it(`reads what it has written of a ${kind}`, () => {
      const source = { kind: sourceKindOf(kind), name: 'ch.password-1' };
      assert.deepEqual(parseSourceText(sourceText(source)), source);
    });
  }

  it('reads nothing else', () => {
    for (const text of ['', 'Secret', 'Secret/', '/ch', 'secret/ch', 'Pod/ch', 'Secret/a/b', ' Secret/ch'])
      assert.equal(parseSourceText(text), undefined, text);
  });
});
