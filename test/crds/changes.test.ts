import { deepEqual, equal, match } from 'node:assert/strict';
import { changesBetween } from '../../crds/changes.ts';
import { compile } from '../../crds/compile.ts';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { smallSpec, storedPipeline } from './support/pipelines.ts';

const [source] = smallSpec.sources;
const [sink] = smallSpec.sinks;

function changes(after: Partial<PipelineInput['spec']>, before: Partial<PipelineInput['spec']> = {}) {
  return changesBetween(compile(storedPipeline(before)), compile(storedPipeline(after)));
}

describe('the class of a change', () => {
  it('H1: is none when only the generation differs', () => {
    const plan = compile(storedPipeline());
    equal(changesBetween(plan, { ...plan, pipeline: { ...plan.pipeline, generation: 9 } }).class, 'none');
  });

  it('is metadata for what touches no pod and no stream', () =>
    equal(changes({ deletionPolicy: 'Immediate' }).class, 'metadata'));

  it('is streams for the size of the buffer', () => equal(changes({ buffer: { maxBytes: '2Gi' } }).class, 'streams'));

  it('is rolling for a filter, and names the stages', () => {
    const found = changes({ steps: [{ name: 'a', filter: { where: 'record.a == 1' } }] });
    equal(found.class, 'rolling');
    deepEqual(found.changedStages, ['sink-warehouse']);
  });

  it('is rolling for a new sink', () => {
    const found = changes({ sinks: [sink!, { ...sink!, name: 'copy' }] });
    equal(found.class, 'rolling');
    deepEqual(found.addedStages, ['sink-copy']);
  });

  it('is drain when a stage goes', () => {
    const found = changes({}, { sinks: [sink!, { ...sink!, name: 'copy' }] });
    equal(found.class, 'drain');
    deepEqual(found.removedStages, ['sink-copy']);
  });

  it('tells a change of the wanted state apart', () => {
    const found = changes({ desiredState: 'Paused' });
    equal(found.isStateChanged, true);
    equal(found.class, 'metadata');
  });

  const refused: readonly [string, Partial<PipelineInput['spec']>, RegExp][] = [
    ['shards', { buffer: { shards: 4 } }, /2 shards and cannot have 4/],
    ['slots', { sources: [{ ...source!, slots: 8 }] }, /4 slots and cannot have 8/],
    ['the connector of a source', { sources: [{ name: 'orders', http: {} }] }, /reads kafka and cannot read http/],
    ['isolation', { isolation: 'Shared' }, /cannot move/],
  ];
  for (const [what, spec, message] of refused) {
    it(`H2: is refused for ${what}`, () => {
      const found = changes({ ...spec, deletionPolicy: 'Orphan' });
      equal(found.class, 'refused');
      match(found.refusals.join(), message);
    });
  }
});
