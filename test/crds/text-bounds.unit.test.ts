import assert from 'node:assert/strict';
import { Lexer } from 'yaml';
import { lintText } from '../../crds/lint.ts';
import { boundsFault, mostTokens } from '../../crds/text-bounds.ts';
import { parseText } from '../../workers/api/body.ts';

const n = 900_000;
const times = (text: string) => text.repeat(Math.floor(n / text.length));
const numbered = (line: (i: number) => string) => Array.from({ length: 60_000 }, (_, i) => line(i)).join('\n');

/** As large as a body may be; each takes the parser seconds. */
const hostile: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['[', ']', '{', '}'].map((sign) => [`${sign} alone`, times(sign)])),
  'both brackets': times('[{'),
  'lists that are closed': `${'['.repeat(n / 2)}${']'.repeat(n / 2)}`,
  'objects that are closed': `${'{a: '.repeat(n / 5)}${'}'.repeat(n / 5)}`,
  'objects that are closed before they are opened': `${'}'.repeat(n / 5)}${'{a: '.repeat(n / 5)}`,
  'objects of JSON': `${'{"a":'.repeat(n / 6)}1${'}'.repeat(n / 6)}`,
  'lists in one line': times('- '),
  'names in one line': times('? '),
  commas: `[${times(',')}]`,
  colons: times(': '),
  quotes: times('"'),
  anchors: times('- &a b\n'),
  'anchors of different names': numbered((i) => `- &a${i} b`),
  'anchors on one value': times('&a '),
  aliases: `x: &a b\ny:\n${times('- *a\n')}`,
  tags: times('!a '),
  directives: times('%a\n'),
  documents: times('--- a\n'),
  comments: times('#\n'),
  'empty lines': times('\n\t'),
  fields: numbered((i) => `k${i}: 1`),
  'the same field': times('a: 1\n'),
  'lists that are opened in every line': times('a: [\n'),
};
/** As large, and no work. */
const harmless: Readonly<Record<string, string>> = {
  'a long name': `${times('a')}: 1`,
  'long names': `${'a'.repeat(1_000)}: 1\n`.repeat(900),
  'a long text': `a: "${times('x')}"`,
  'a text of lines': `a: |\n${times(' b\n')}`,
  'a comment': times('#'),
  brackets: `a: "${times('[{')}"`,
};

function boundsOf(text: string) {
  let count = 0;
  function* counted() {
    for (const token of new Lexer().lex(text)) {
      count += 1;
      yield token;
    }
  }
  return { fault: boundsFault(text, counted()), count };
}

describe('a text of the size that a body may have', () => {
  for (const [what, text] of Object.entries(hostile))
    it(`X1: of ${what} is refused after a bounded number of tokens, by lint and by the API`, () => {
      const { fault, count } = boundsOf(text);
      assert.match(fault?.problem ?? '', /^it is (?:nested too deep|too large: )/);
      assert.ok(count <= mostTokens + 1, String(count));
      const [issue, ...more] = lintText(text, 'file');
      assert.deepEqual([issue?.code, more.length], ['MR_SPEC_INVALID', 0]);
      assert.throws(() => parseText(text, 'application/yaml'), { code: 'MR_REQUEST_INVALID' });
    });

  for (const [what, text] of Object.entries(harmless))
    it(`X2: of ${what} passes: it has few tokens`, () => {
      const { fault, count } = boundsOf(text);
      assert.equal(fault, undefined);
      assert.ok(count < 10_000, String(count));
    });

  it('says where it became too deep', () => {
    const deep = `a: "[["\nb: [x, ${'['.repeat(300)}`;
    assert.deepEqual(boundsFault(deep), { problem: 'it is nested too deep', at: deep.indexOf('[x') + 4 + 255 });
  });

  it('has no more issues listed than anybody reads', () => {
    const text = Array.from({ length: 5_000 }, (_, i) => `k${i}: 1`).join('\n');
    const issues = lintText(text, 'file');
    assert.equal(issues.length, 1_001);
    assert.ok(issues.some(({ message }) => message.includes('more issues are not listed')));
  });
});
