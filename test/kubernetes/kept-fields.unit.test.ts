import assert from 'node:assert/strict';
import { hasUpdated, takenOver } from '../../kubernetes/kept-fields.ts';

describe('kept fields', () => {
  it('KF4: a take-over leaves the entries of which it takes nothing, with a name or without', () => {
    const steps = { 'f:spec': { 'f:steps': {} } };
    const others = [
      { operation: 'Update', fieldsV1: steps },
      { manager: 'argocd', operation: 'Apply', fieldsV1: steps },
      { manager: 'kubectl', operation: 'Update', fieldsV1: { 'f:metadata': {} } },
      { manager: 'kubectl', operation: 'Update', subresource: 'status', fieldsV1: { 'f:spec': {} } },
    ];
    const kubectl = { manager: 'kubectl', operation: 'Apply', fieldsV1: steps };
    const [own, ...left] = takenOver({ managedFields: [kubectl, ...others] }, new Set(['kubectl']), 'millrace-cli');
    assert.deepEqual(left, others);
    assert.deepEqual(own, {
      ...{ manager: 'millrace-cli', operation: 'Apply', apiVersion: 'millrace.io/v1alpha1', fieldsType: 'FieldsV1' },
      fieldsV1: steps,
    });
  });

  it('KF4: a take-over of nothing but the state takes nothing, the spec as a whole least of all', () => {
    const fieldsV1 = { 'f:spec': { 'f:desiredState': {} } };
    const managedFields = [{ manager: 'kubectl', operation: 'Update', fieldsV1 }];
    assert.deepEqual(takenOver({ managedFields }, new Set(['kubectl']), 'millrace-cli'), managedFields);
  });

  it('KF5: a take-over unites what a manager has applied and what it has written otherwise', () => {
    const managedFields = [
      { manager: 'millrace-cli', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:steps': {} } } },
      { manager: 'millrace-cli', operation: 'Update', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:tier': {} } } } },
      { manager: 'millrace-cli', operation: 'Update', fieldsV1: { 'f:spec': { 'f:buffer': {} } } },
    ];
    assert.ok(hasUpdated({ managedFields }, 'millrace-cli'));
    const united = takenOver({ managedFields }, new Set(), 'millrace-cli');
    assert.deepEqual(united, [
      {
        ...{ manager: 'millrace-cli', operation: 'Apply', apiVersion: 'millrace.io/v1alpha1', fieldsType: 'FieldsV1' },
        fieldsV1: {
          'f:spec': { 'f:steps': {}, 'f:buffer': {} },
          'f:metadata': { 'f:labels': { 'f:tier': {} } },
        },
      },
    ]);
    assert.ok(!hasUpdated({ managedFields: united }, 'millrace-cli'));
  });
});
