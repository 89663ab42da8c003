import { strictEqual } from 'node:assert/strict';
import { InTurn } from '../../scripts/in-turn.ts';

describe('output of several at once', () => {
  let printed: string;
  let turns: InTurn;
  beforeEach(() => {
    printed = '';
    turns = new InTurn((text) => (printed += text));
  });

  it('shows the first as it prints', () => {
    turns.next().write('a');
    strictEqual(printed, 'a');
  });

  it('keeps the second until the first has ended', () => {
    const [first, second] = [turns.next(), turns.next()];
    second.write('b');
    first.write('a');
    strictEqual(printed, 'a');
    first.end();
    strictEqual(printed, 'ab');
    second.write('c');
    strictEqual(printed, 'abc');
  });

  it('shows who ended early when its turn comes, and whoever began after it', () => {
    const [first, second, third] = [turns.next(), turns.next(), turns.next()];
    third.write('c');
    second.write('b');
    second.end();
    first.end();
    strictEqual(printed, 'bc');
  });
});
