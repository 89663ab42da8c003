import assert from 'node:assert/strict';
import { Ear } from '../../../workers/controller/hearing.ts';
import { liveMs } from '../../../workers/controller/stage-fact.ts';

describe('whether the pods can be heard', () => {
  let now: number;
  let ear: Ear;

  beforeEach(() => {
    now = 1_000_000;
    ear = new Ear(() => now, 30_000);
  });

  it('at the start nothing is concluded; without NATS nobody is heard after a while', () => {
    assert.equal(ear.hearing, 'catchingUp');
    now += 29_999;
    assert.equal(ear.hearing, 'catchingUp');
    now += 1;
    assert.equal(ear.hearing, 'deaf');
    assert.equal(ear.changesAt, undefined);
  });

  it('it has listened long enough after as long as a pod may be silent', () => {
    now += 5_000;
    ear.note(true);
    assert.equal(ear.changesAt, now + 30_000);
    now += 30_000;
    assert.equal(ear.hearing, 'steady');
  });

  it('being told the same again begins nothing anew', () => {
    ear.note(true);
    now += 20_000;
    ear.note(true);
    now += 10_000;
    assert.equal(ear.hearing, 'steady');
  });

  it('a loss of NATS is no silence of the pods: it must listen again as long', () => {
    ear.note(true);
    now += 60_000;
    ear.note(false);
    assert.equal(ear.hearing, 'catchingUp');
    now += 9_000;
    ear.note(true);
    now += 29_000;
    assert.equal(ear.hearing, 'catchingUp');
    now += 1_000;
    assert.equal(ear.hearing, 'steady');
  });

  it('NATS that is away is said before what was heard has expired, with the time that it takes to find out', () => {
    ear.note(true);
    now += 60_000;
    // Pings of five seconds, two of which may stay without an answer.
    const frozenAt = now - 15_000;
    ear.note(false);
    now = ear.changesAt ?? now;
    assert.equal(ear.hearing, 'deaf');
    assert.ok(now - frozenAt <= liveMs);
  });

  it('a loss between two looks counts, too', () => {
    ear.note(true);
    now += 60_000;
    ear.note(true, true);
    assert.equal(ear.hearing, 'catchingUp');
  });
});
