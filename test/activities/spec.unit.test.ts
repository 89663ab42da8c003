import assert from 'node:assert/strict';
import { parsePipeline } from '../../activities/spec.ts';
import { MillraceError } from '../../model/errors.ts';
import { lint } from '../../crds/lint.ts';

describe('the spec as the lifecycle reads it', () => {
  it('is refused in the words of lint', () => {
    const resource = {
      apiVersion: 'millrace.io/v1alpha1',
      kind: 'Pipeline',
      metadata: { name: 'orders', namespace: 'shop', uid: 'u', generation: 1 },
      spec: { desiredState: 'Runing', sources: [{ name: 'orders', generator: {} }], sinks: [] },
      status: { phase: 'Pending' },
    };
    const { status: _, ...written } = resource;
    const issue = lint(written).find(({ severity }) => severity === 'error');
    assert.throws(
      () => parsePipeline(resource),
      (error) => error instanceof MillraceError && error.code === issue?.code && error.message.includes(issue.message),
    );
    assert.match(issue?.message ?? '', /did you mean "Running"/);
  });
});
