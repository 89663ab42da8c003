import assert from 'node:assert/strict';
import { formatOperationId, parseOperationId } from '../../client/operation-id.ts';
import { entityWorkflowId, operationWorkflowId } from '../../model/names.ts';

describe('operation ids', () => {
  const entity = entityWorkflowId('shop', 'orders', '6f1c');

  it('name the workflow that carries a change out', () => {
    const id = operationWorkflowId(entity, 7, 'pause', 4);
    assert.deepEqual(parseOperationId(id), {
      namespace: 'shop',
      name: 'orders',
      uid: '6f1c',
      generation: 4,
      deletes: false,
      stands: true,
      planned: { seq: 7, kind: 'pause' },
    });
  });

  for (const id of [`${entity}/g4`, `${entity}/g4/delete`, `${entity}/g4/still`, `${entity}/op/7-teardown-g4`]) {
    it(`are read and written alike: ${id}`, () => {
      const parsed = parseOperationId(id);
      assert.ok(parsed);
      assert.equal(formatOperationId(parsed), id);
    });
  }

  for (const id of ['', 'orders', entity, `${entity}/op/x`, `${entity}/g4/g5`, 'other/shop/orders/6f1c/g4']) {
    it(`are refused in any other form: "${id}"`, () => assert.equal(parseOperationId(id), null));
  }
});
