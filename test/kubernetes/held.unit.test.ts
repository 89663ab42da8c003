import assert from 'node:assert/strict';
import { heldText, type Held } from '../../kubernetes/held.ts';
import { finalizer } from '../../model/names.ts';

const set = (manager: string, ...finalizers: string[]) => ({
  manager,
  fieldsV1: { 'f:metadata': { 'f:finalizers': Object.fromEntries(finalizers.map((each) => [`v:"${each}"`, {}])) } },
});

describe('what keeps an object that was deleted', () => {
  const rows: readonly [what: string, metadata: Held['metadata'], says: string | undefined][] = [
    ['nothing', {}, undefined],
    ['our own finalizer', { finalizers: [finalizer] }, undefined],
    ['the garbage collector', { finalizers: ['foregroundDeletion', 'orphan'] }, undefined],
    ['another', { finalizers: ['a.io/x'] }, 'finalizer a.io/x must be removed by whoever has set it'],
    [
      'another beside ours',
      {
        finalizers: [finalizer, 'a.io/x'],
        managedFields: [set('millrace-controller', finalizer), set('argo', 'a.io/x')],
      },
      'finalizer a.io/x must be removed by whoever has set it (argo)',
    ],
    [
      'several of several',
      {
        finalizers: ['a.io/x', 'b.io/y'],
        managedFields: [set('argo', 'a.io/x'), set('velero', 'b.io/y'), set('kubectl')],
      },
      'finalizers a.io/x, b.io/y must be removed by whoever has set them (argo, velero)',
    ],
    [
      'fields that cannot be read',
      { finalizers: ['a.io/x'], managedFields: [7, { manager: 1 }, null] },
      'finalizer a.io/x must be removed by whoever has set it',
    ],
  ];
  for (const [what, metadata, says] of rows) {
    it(`names ${what}`, () => assert.equal(heldText({ metadata }), says));
  }
});
