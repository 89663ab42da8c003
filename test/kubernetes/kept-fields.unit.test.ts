import assert from 'node:assert/strict';
import { takenOver } from '../../kubernetes/kept-fields.ts';

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
});
