import assert from 'node:assert/strict';
import { ownStatus } from '../../activities/status/merge.ts';
import { statusSchema } from '../../crds/status.ts';
import { foreignParts } from '../../kubernetes/status-owners.ts';
import { fieldManagers } from '../../model/names.ts';

const entry = (manager: string, fields: object) => ({
  manager,
  subresource: 'status',
  fieldsV1: { 'f:status': fields },
});
const condition = (type: string) => ({ [`k:{"type":"${type}"}`]: { '.': {}, 'f:status': {}, 'f:type': {} } });

describe('who has written a status', () => {
  for (const field of Object.keys(statusSchema.shape)) {
    const isList = field === 'conditions';
    const fields = { [`f:${field}`]: isList ? condition('Provisioned') : {} };
    const part = isList ? 'conditions/Provisioned' : field;

    it(`O1: ${part} is another's when another alone has written it`, () => {
      const managedFields = [entry('kubectl-edit', fields)];
      assert.deepEqual(foreignParts({ managedFields }), [{ part, manager: 'kubectl-edit' }]);
    });

    for (const manager of [fieldManagers.status, fieldManagers.controller]) {
      it(`O1: ${part} is Millrace's when ${manager} has written it, alone or with another`, () => {
        assert.deepEqual(foreignParts({ managedFields: [entry(manager, fields)] }), []);
        assert.deepEqual(foreignParts({ managedFields: [entry('x', fields), entry(manager, fields)] }), []);
      });
    }
  }

  for (const field of ['f:status', 'f:reason', 'f:message', 'f:observedGeneration', 'f:lastTransitionTime'])
    it(`O3: a condition of which another has written ${field} alone is another's`, () => {
      const all = { '.': {}, 'f:type': {}, 'f:status': {}, 'f:reason': {}, 'f:message': {} };
      const key = 'k:{"type":"Accepted"}';
      const { [field as 'f:status']: _, ...rest } = { ...all, 'f:observedGeneration': {}, 'f:lastTransitionTime': {} };
      const ours = entry(fieldManagers.status, { 'f:conditions': { [key]: rest } });
      const others = entry('kubectl-patch', { 'f:conditions': { [key]: { [field]: {} } } });
      assert.deepEqual(foreignParts({ managedFields: [ours, others] }), [
        { part: 'conditions/Accepted', manager: 'kubectl-patch' },
      ]);
    });

  it('O3: a condition whose key alone another has written is not', () => {
    const key = { 'k:{"type":"Accepted"}': { '.': {}, 'f:type': {} } };
    assert.deepEqual(foreignParts({ managedFields: [entry('x', { 'f:conditions': key })] }), []);
  });

  it('O2: nothing is known without the account of the API server, or from one that cannot be read', () => {
    for (const managedFields of [undefined, null, 7, [7, {}, { manager: 'x' }, entry('x', { 'f:phase': 1 })]])
      assert.deepEqual(foreignParts({ managedFields }), []);
  });

  it('M6: the lifecycle does not believe what another has written of what it says itself', () => {
    const fields = { 'f:phase': {}, 'f:opSeq': {}, 'f:revision': {}, 'f:conditions': condition('Provisioned') };
    const metadata = { name: 'orders', managedFields: [entry('kubectl-edit', fields)] };
    const said = { status: 'False', reason: 'Odd', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
    const conditions = [
      { type: 'Provisioned', ...said },
      { type: 'Accepted', ...said },
    ];
    const status = { phase: 'Failed', opSeq: 999, revision: 'kept', acceptedGeneration: 3, conditions };
    assert.deepEqual(ownStatus({ metadata, status }), {
      ...{ revision: 'kept', acceptedGeneration: 3 },
      conditions: [{ type: 'Accepted', ...said }],
    });
    assert.equal(ownStatus({ metadata: { name: 'orders' }, status }).opSeq, 999);
  });
});
