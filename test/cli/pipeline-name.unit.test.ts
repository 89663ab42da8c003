import assert from 'node:assert/strict';
import { pipelineName } from '../../cli/pipeline-name.ts';

describe('the name of a pipeline on the command line', () => {
  for (const written of [
    'orders',
    'pipeline/orders',
    'pipelines/orders',
    'mrp/orders',
    'pipelines.millrace.io/orders',
  ]) {
    it(`may be ${written}`, () => assert.equal(pipelineName(written), 'orders'));
  }

  for (const written of ['deployment/orders', 'shop/orders', 'pipeline/', '', '/', '/orders']) {
    it(`is not ${written}`, () => assert.throws(() => pipelineName(written), /such as orders or pipeline\/orders/));
  }
});
