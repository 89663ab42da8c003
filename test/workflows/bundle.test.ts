import assert from 'node:assert/strict';
import { DefaultLogger } from '@temporalio/worker';
import { makeBundle } from '../../workers/lifecycle/bundle.ts';

describe('workflow bundle', function () {
  let code: string;
  before(async () => ({ code } = await makeBundle(new DefaultLogger('WARN'))));

  it('stays below 1.5 MB', () => {
    assert.ok(code.length < 1.5 * 2 ** 20, `${code.length} bytes`);
  });

  it('B1: holds no zod, no connector and no activity', () => {
    for (const foreign of ['node_modules/zod', './connectors/', './activities/', '@nats-io', '@kubernetes']) {
      assert.ok(!code.includes(foreign), foreign);
    }
  });
});
