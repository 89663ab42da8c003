import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EvaluationError, ParseError } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { checkExpression } from '../../../transforms/expression/check.ts';
import { compileExpression } from '../../../transforms/expression/expression.ts';
import { summaryOf } from '../../../transforms/expression/problem.ts';
import { sentenceOf, sentences } from '../../../transforms/expression/sentences.ts';
import { decode, meta } from '../support/records.ts';

/** How cel-js begins its sentences, and words that only it has. */
const theirs =
  /Unexpected|Unterminated|Exceeded|Invalid|No such key|no such overload|no matching overload|Unknown variable|Reserved|requires|type error|Cannot|cannot be range|conversion error|must be optional|dyn</;

const source = 'what';
const at = { input: source, pos: 0, start: 0, end: source.length };

describe('what is said of an expression that is wrong', () => {
  it('S1: every code that cel-js has got a sentence of ours', async () => {
    const lib = dirname(fileURLToPath(import.meta.resolve('@marcbachmann/cel-js')));
    const codes = new Set<string>();
    for (const file of await readdir(lib)) {
      if (!file.endsWith('.js') || file === 'errors.js') continue;
      const text = await readFile(join(lib, file), 'utf8');
      for (const [, code] of text.matchAll(/(?:[eE]valuation|[pP]arse|[tT]ype|create)Error\(\s*'([a-z_]+)'/g))
        codes.add(code ?? '');
    }
    // A context that is no object is ours to give.
    codes.delete('invalid_context');
    assert.ok(codes.size > 30, String(codes.size));
    assert.deepEqual(
      [...codes].filter((code) => !Object.hasOwn(sentences, code)),
      [],
    );
  });

  it('S1: a code of a later version has a sentence, too, and none of the library reaches anybody', () => {
    for (const code of [...Object.keys(sentences), 'of_a_later_version', 'constructor']) {
      for (const summary of ['Unexpected token: EOF', "Cannot index type 'int'", "Invalid thing, got 'string'", '']) {
        for (const phase of ['check', 'record'] as const) {
          const said = sentenceOf(code, summary, phase);
          assert.ok(said.length > 8, code);
          if (!code.startsWith('no_') && code !== 'unknown_variable') assert.doesNotMatch(said, theirs, code);
        }
      }
    }
    assert.equal(
      summaryOf(new ParseError({ code: 'later', message: 'Their words', node: at })),
      'it is not valid here',
    );
    assert.equal(
      summaryOf(new EvaluationError({ code: 'later', message: 'Their words', node: at })),
      'it cannot be evaluated on this record',
    );
    assert.equal(summaryOf(new Error('Their words')), 'it cannot be evaluated on this record');
  });

  const wrong: [source: string, message: RegExp, place: string][] = [
    ['record.a = 1', /cannot be read here/, ''],
    ['record.a ==', /ends where something must follow/, ''],
    ['(record.a', /ends where something must follow/, ''],
    ['"abc', /does not end/, ''],
    ["'a\\q'", /no escape sequence/, ''],
    ['1e', /cannot be read here/, ''],
    ['record.if', /./, ''],
    ['for', /reserved word/, 'for'],
    ['1 + "a"', /there is no operation int \+ string/, '1 + "a"'],
    ['!"a"', /there is no operation !string/, '!"a"'],
    ['"a" && true', /take bools, but one side is string/, '"a" && true'],
    ['1 ? 2 : 3', /must be a bool, but is int/, '1'],
    ['true ? 1 : "a"', /one type, but are int and string/, 'true ? 1 : "a"'],
    ['"a".startsWith(1)', /startsWith\(\) of string does not take \(int\)/, '"a".startsWith(1)'],
    ['size()', /./, ''],
    ['[1]["a"]', /the index must be an int, but is string/, '[1]["a"]'],
    ['1 .a', /./, ''],
    ['1[0]', /int has neither fields nor elements/, '1[0]'],
    ['has(1)', /has\(\) takes a field/, '1'],
    ['"a".map(x, x)', /goes through a list or a map, not string/, '"a"'],
    ['record.l.map(1, 2)', /a macro starts with a name/, '1'],
  ];
  for (const [text, message, place] of wrong) {
    it(`is told in our words, with its place: ${text}`, () => {
      const [problem] = checkExpression(text, { fields: null, isCondition: false });
      if (problem === undefined) return assert.equal(message.source, '.', 'it is not refused');
      assert.match(problem.message, message);
      assert.doesNotMatch(problem.message, theirs);
      if (place !== '') assert.equal(text.slice(problem.start, problem.end), place);
      return undefined;
    });
  }

  it('whatever is written, the sentence is ours and its place is inside of it', () => {
    const piece = fc.constantFrom(
      ...[
        'record',
        '.a',
        '[0]',
        '["a"]',
        ' + ',
        ' && ',
        '(',
        ')',
        '"',
        "'",
        '1',
        '1e',
        '"a"',
        '\\x',
        ' ? ',
        ' : ',
        '{',
        '}',
      ],
      ...[
        'has(',
        'size(',
        '.map(x, ',
        '.matches(',
        '!',
        '-',
        'in',
        'for',
        '@',
        '\n',
        ', ',
        'timestamp(',
        'optional.of(',
        '.orValue(',
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        for (const { message, start, end } of checkExpression(text, { fields: null, isCondition: true })) {
          assert.doesNotMatch(message, theirs, text);
          assert.ok(start >= 0 && start <= end && end <= Math.max(text.length, end === 0 ? 0 : text.length + 1), text);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  const failing: [source: string, message: RegExp][] = [
    ['record.missing', /there is no field "missing"/],
    ['record.l[7]', /no element at this index/],
    ['record.n / 0', /./],
    ['int(record.s)', /int\(\) takes a number/],
    ['timestamp(record.s)', /timestamp\(\) takes a text such as/],
    ['duration(record.s)', /duration\(\) takes a text such as/],
    ['bool(record.s)', /bool\(\) takes true or false/],
    ['record.s + record.l', /there is no operation string \+ list/],
    ['record.s && true', /take bools, but one side is string/],
    ['record.s ? 1 : 2', /must be a bool, but is string/],
    ['record.l.map(x, x.a)', /./],
    ['record.s.substring(9)', /outside of the text/],
  ];
  for (const [text, message] of failing) {
    it(`S2: of a record it is told in our words, too: ${text}`, () => {
      const evaluate = compileExpression(text, 'there', 'step');
      try {
        evaluate(decode('{"s": "x", "l": [1], "n": 1}'), meta, 0);
      } catch (error) {
        const said = error instanceof Error ? error.message : '';
        assert.match(said, message);
        assert.doesNotMatch(said, theirs);
        return;
      }
      assert.equal(message.source, '.', 'it did not fail');
    });
  }
});
