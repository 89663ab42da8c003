import assert from 'node:assert/strict';
import { errorTable } from '../../model/errors.ts';
import { fill } from '../../model/template.ts';

describe('texts with parameters', () => {
  const rows: readonly (readonly [template: string, value: string | number, text: string])[] = [
    ['{path}: must be.', 'spec', 'spec: must be.'],
    ['It says: {path}.', 'did you mean "Paused"?', 'It says: did you mean "Paused"?'],
    ['It says: {path}.', 'it is over.', 'It says: it is over.'],
    ['It says: {path}. Look.', 'it is over!', 'It says: it is over! Look.'],
    ['See {path}.yaml.', 'a.', 'See a..yaml.'],
    ['{path} of 3.', 2, '2 of 3.'],
    ['{path} pods of 3.', 1, '1 pod of 3.'],
    ['{path} pods of 3.', 21, '21 pods of 3.'],
    ['has {path} bytes.', 1, 'has 1 byte.'],
    ['{other}.', 'x', '{other}.'],
  ];
  for (const [template, path, text] of rows) {
    it(`${template} with ${path}`, () => assert.equal(fill(template, { path }), text));
  }

  it('no row of the error table says 1 of several', () => {
    for (const [code, { message, fix }] of Object.entries(errorTable)) {
      for (const text of [message, fix]) {
        const counted = text.replaceAll(/\{\w+\}(?= of )/g, '{of}');
        const params = Object.fromEntries([...counted.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, 1]));
        const wrong = /\b1 (?!as|asks|does|fails|has|is|runs|stands|was)[a-z]+s\b/.exec(fill(text, params));
        assert.equal(wrong?.[0], undefined, `${code}: ${fill(text, params)}`);
      }
    }
  });
});
