import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decisionChoices, decisionText, parseDecision, tokenOf } from '../../model/decision.ts';

describe('decision', () => {
  const scope = fc.stringMatching(/^[a-z][-a-z0-9]{0,62}$/);
  const number = fc.oneof(fc.constant('lost' as const), fc.integer({ min: 1, max: 999_999_999 }));
  const note = fc.option(fc.stringMatching(/^[-.:0-9A-Za-z]{1,64}$/), { nil: undefined });

  it('T1: what is written is what is read, whatever note it has', () => {
    fc.assert(
      fc.property(scope, number, fc.constantFrom(...decisionChoices), note, (about, which, choice, noted) => {
        const decision = { scope: about, number: which, choice };
        assert.deepEqual(parseDecision(decisionText(decision, noted)), decision);
        assert.ok(decisionText(decision, noted).startsWith(tokenOf(decision)));
      }),
    );
  });

  for (const text of [
    '',
    'records',
    'records.1',
    'records.0=reread',
    'records.1=both',
    'records.1=reread@',
    'A.1=reread',
  ])
    it(`"${text}" is no decision`, () => assert.equal(parseDecision(text), undefined));
});
