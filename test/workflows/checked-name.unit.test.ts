import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { checkNamesPipeline } from '../../workflows/checked-name.ts';

function refusal(input: unknown, fields: readonly string[] = []): ApplicationFailure | undefined {
  try {
    checkNamesPipeline('applyPipeline', input, fields);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ApplicationFailure, String(error));
    return error;
  }
}

describe('what a workflow was started with', () => {
  const rows: readonly (readonly [input: unknown, says: RegExp])[] = [
    [undefined, /takes one object with `namespace`, `name`, `spec`, but was given nothing/],
    [null, /was given null/],
    ['hello', /was given text/],
    [7, /was given a number/],
    [['shop', 'orders'], /was given a list/],
    [{}, /`namespace` must be a lower-case DNS name, but is nothing/],
    [{ namespace: 'shop' }, /`name` must be .* but is nothing/],
    [{ namespace: 'shop', name: 7 }, /`name` must be .* but is a number/],
    [{ namespace: 'shop', name: '' }, /`name` must be .* but is ""/],
    [{ namespace: 'shop', name: '../x' }, /but is "\.\.\/x"/],
    [{ namespace: 'shop', name: 'orders' }, /`spec` is required/],
  ];
  for (const [input, says] of rows) {
    it(`W1: ${input === undefined ? 'nothing' : JSON.stringify(input)} ends it for good`, () => {
      const error = refusal(input, ['spec']);
      assert.deepEqual([error?.type, error?.nonRetryable], ['MR_REQUEST_INVALID', true]);
      assert.match(error?.message ?? '', says);
    });
  }

  it('takes a pipeline', () => {
    assert.equal(refusal({ namespace: 'shop', name: 'orders', spec: {} }, ['spec']), undefined);
  });

  it('W1: whatever the input is, it is taken or ends the workflow', () => {
    const field = fc.option(fc.jsonValue(), { nil: undefined });
    const near = fc.record({ namespace: field, name: field, spec: field }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), near), (input) => {
        const error = refusal(input, ['spec']);
        assert.ok(error === undefined || error.nonRetryable === true);
      }),
    );
  });
});
