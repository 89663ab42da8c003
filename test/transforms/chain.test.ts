import { deepEqual, equal, throws } from 'node:assert/strict';
import fc from 'fast-check';
import { encodeJson, type Json } from '../../model/value.ts';
import { compileStages } from '../../transforms/chain.ts';
import { decode, meta } from './support/records.ts';

interface Chain {
  readonly steps?: readonly { kind: string; config: Json; when?: string }[];
  readonly when?: string;
  readonly unless?: readonly string[];
  readonly owns?: boolean;
}

/** What becomes of a record: its JSON, or `drop`. */
function run({ steps = [], when, unless = [], owns = true }: Chain, text: string): string {
  const program = compileStages({
    sink: 'warehouse',
    ownsStepFailures: owns,
    route: { unless, when: when ?? null },
    steps: steps.map((step, i) => ({ name: `s${i}`, kind: step.kind, config: step.config, when: step.when ?? null })),
  });
  const record = decode(text);
  return program.run(record, meta, 0) === 'drop' ? 'drop' : encodeJson(record);
}

const map = (config: Json, when?: string) => ({ kind: 'map', config, ...(when === undefined ? {} : { when }) });
const filter = (where: string) => ({ kind: 'filter', config: { where } });

describe('filter', () => {
  it('lets a record through for which the expression is true, and drops the others', () => {
    equal(run({ steps: [filter('record.a > 1')] }, '{"a":2}'), '{"a":2}');
    equal(run({ steps: [filter('record.a > 1')] }, '{"a":1}'), 'drop');
  });
});

describe('map', () => {
  it('M1: evaluates every expression on the record as it came in', () => {
    equal(run({ steps: [map({ set: { a: 'record.b', b: 'record.a' } })] }, '{"a":1,"b":2}'), '{"a":2,"b":1}');
  });

  it('M1: sets a copy of an object, which later paths do not change', () => {
    equal(
      run({ steps: [map({ set: { copy: 'record.o', 'o.x': '2' } })] }, '{"o":{"x":1}}'),
      '{"o":{"x":2},"copy":{"x":1}}',
    );
  });

  it('M2: renames, then sets, then removes', () => {
    equal(
      run({ steps: [map({ rename: { a: 'b' }, set: { b: 'record.a + 1', c: '1' }, remove: ['c'] })] }, '{"a":1}'),
      '{"b":2}',
    );
  });

  it('M3: leaves the record as it was when an expression fails', () => {
    const program = compileStages({
      sink: 'w',
      ownsStepFailures: true,
      route: { unless: [], when: null },
      steps: [{ name: 's', kind: 'map', config: { set: { a: '1', b: 'record.missing' } }, when: null }],
    });
    const record = decode('{"a":0}');
    throws(() => program.run(record, meta, 0), { code: 'MR_RECORD_EXPRESSION' });
    deepEqual(record, { a: 0 });
  });

  it('reaches fields of fields with dots, and makes the objects on the way', () => {
    equal(run({ steps: [map({ set: { 'a.b.c': '1' } })] }, '{"a":5}'), '{"a":{"b":{"c":1}}}');
    equal(run({ steps: [map({ remove: ['a.b'] })] }, '{"a":{"b":1,"c":2}}'), '{"a":{"c":2}}');
    equal(run({ steps: [map({ rename: { 'a.b': 'd' } })] }, '{"a":{"b":1}}'), '{"a":{},"d":1}');
  });

  it('lets be absent what it renames or removes', () => {
    equal(run({ steps: [map({ rename: { x: 'y' }, remove: ['z', 'a.b'] })] }, '{"a":1}'), '{"a":1}');
  });

  it('reads a removed field as absent in later steps', () => {
    equal(run({ steps: [map({ remove: ['a'] }), filter('!has(record.a)')] }, '{"a":1}'), '{}');
    equal(run({ steps: [map({ remove: ['a'] }), filter('record.all(k, k != "a")')] }, '{"a":1,"b":1}'), '{"b":1}');
  });

  it('sets a field named __proto__ without changing the prototype', () => {
    equal(run({ steps: [map({ set: { __proto__x: '1' } })] }, '{}'), '{"__proto__x":1}');
    const config = JSON.parse('{"set":{"__proto__":"1"}}') as Json;
    equal(run({ steps: [map(config)] }, '{}').includes('polluted'), false);
  });

  it('keeps the digits of fields that it does not compute on', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 10n ** 20n }), (big) => {
        equal(run({ steps: [map({ set: { b: 'record.a' } })] }, `{"a":${big}}`), `{"a":${big},"b":${big}}`);
      }),
    );
  });
});

describe('a step with when', () => {
  it('T2: leaves a record unchanged for which when is false', () => {
    const steps = [map({ set: { b: '1' } }, 'has(record.a)')];
    equal(run({ steps }, '{"a":1}'), '{"a":1,"b":1}');
    equal(run({ steps }, '{}'), '{}');
  });
});

describe('the route', () => {
  it('T1: sees the record as it is after the steps', () => {
    const steps = [map({ set: { total: 'record.a * 2' } })];
    equal(run({ steps, when: 'record.total > 3' }, '{"a":2}'), '{"a":2,"total":4}');
    equal(run({ steps, when: 'record.total > 3' }, '{"a":1}'), 'drop');
  });

  it('T1: gives a sink nothing that an earlier sink takes', () => {
    equal(run({ unless: ['record.a > 1'] }, '{"a":2}'), 'drop');
    equal(run({ unless: ['record.a > 1'] }, '{"a":1}'), '{"a":1}');
    equal(run({ unless: ['record.a > 1'], when: 'record.a > 0' }, '{"a":1}'), '{"a":1}');
  });

  it('T3: a failing step is reported by the owner of step failures only', () => {
    const steps = [filter('record.missing')];
    throws(() => run({ steps }, '{}'), { code: 'MR_RECORD_EXPRESSION' });
    equal(run({ steps, owns: false }, '{}'), 'drop');
  });

  it('T3: a failing when is reported by its own sink, also when that does not own step failures', () => {
    throws(() => run({ when: 'record.missing', owns: false }, '{}'), { code: 'MR_RECORD_EXPRESSION' });
  });

  it('T3: a failing when of an earlier sink is not reported again', () => {
    equal(run({ unless: ['record.missing'], owns: true }, '{}'), 'drop');
  });
});

describe('compiling a chain', () => {
  it('refuses a kind of step that does not exist', () => {
    throws(() => run({ steps: [{ kind: 'nope', config: {} }] }, '{}'), { code: 'MR_SPEC_INVALID' });
  });

  it('refuses an expression that does not compile', () => {
    throws(() => run({ steps: [filter('recrod.a')] }, '{}'), { code: 'MR_SPEC_EXPRESSION' });
  });
});
