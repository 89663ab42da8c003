import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FrameChain, type Chain } from '../../stream/frame-chain.ts';

const registered = (since: number): Chain => ({ edge: 'e', decided: 0, since, writers: {} });

/** A reader that is placed there: it notes the last frame of every writer. */
function placed(frames: readonly Sent[], position: number): Chain {
  const last = frames.slice(0, position).map(({ writer, sequence, link, check }) => {
    const head: Chain['writers'][string] = [sequence, link === undefined ? null : check];
    return [writer, head] as const;
  });
  return { ...registered(position), writers: Object.fromEntries(last) };
}

interface Sent {
  readonly writer: string;
  readonly sequence: number;
  readonly link: { readonly plan: number; readonly predecessor: number; readonly predecessorCheck: number } | undefined;
  readonly check: number;
}

/** What writers append when each names the frame before it; `first`: how many frames are of version 1. */
function edgeOf(writers: readonly number[], first: number): Sent[] {
  const tails = new Map<string, Sent>();
  return writers.map((writer, index) => {
    const name = `orders-${writer}`;
    const tail = tails.get(name);
    const predecessor = tail?.link === undefined ? 0 : tail.sequence;
    const link = { plan: 1, predecessor, predecessorCheck: predecessor === 0 ? 0 : (tail?.check ?? 0) };
    const sent: Sent = {
      writer: name,
      sequence: index + 1,
      link: index < first ? undefined : link,
      check: (index * 2_654_435_761) >>> 0,
    };
    tails.set(name, sent);
    return sent;
  });
}

const follow = (chain: FrameChain, frame: Sent) => chain.follow(frame.writer, frame.sequence, frame);

describe('frame chain', () => {
  const anyEdge = fc
    .tuple(fc.array(fc.nat(3), { minLength: 1, maxLength: 60 }), fc.nat(20))
    .map(([writers, first]) => edgeOf(writers, first));

  it('I6: follows every writer, from wherever it was registered and from whatever was committed before a crash', () => {
    fc.assert(
      fc.property(anyEdge, fc.nat(), fc.array(fc.nat(), { maxLength: 5 }), (frames, start, crashes) => {
        let position = start % frames.length;
        let chain = new FrameChain(placed(frames, position));
        for (const crash of [...crashes.map((at) => at % frames.length), frames.length]) {
          for (const frame of frames.slice(position, Math.max(position, crash))) {
            assert.equal(follow(chain, frame), undefined);
          }
          // H1: what was taken ahead of the commit is taken again by the next owner.
          position = Math.max(position, crash - 3);
          chain = new FrameChain(chain.commit(position));
        }
      }),
    );
  });

  it('I6: one frame that is missing is noticed at the next frame of its writer', () => {
    fc.assert(
      fc.property(anyEdge, fc.nat(), (frames, lost) => {
        const missing = frames[lost % frames.length]!;
        const next = frames.find(({ writer, sequence }) => writer === missing.writer && sequence > missing.sequence);
        fc.pre(missing.link !== undefined && next !== undefined);
        const left = frames.filter((one) => one !== missing);
        const breaksIn = (accepted: Chain['accepted']) => {
          const chain = new FrameChain({ ...registered(0), accepted });
          return left.map((frame) => follow(chain, frame)).find((broken) => broken !== undefined);
        };
        const broken = breaksIn([]);
        assert.deepEqual([broken?.sequence, broken?.named], [next.sequence, missing.sequence]);
        // A decision about that frame accepts it, and no other under its number, and only if no more is missing before it.
        const taken = broken?.taken ?? 0;
        assert.equal(breaksIn([[next.sequence, next.check, taken]]), undefined);
        assert.equal(breaksIn([[next.sequence, next.check + 1, taken]])?.sequence, next.sequence);
        assert.equal(breaksIn([[next.sequence, next.check, taken + 1]])?.sequence, next.sequence);
      }),
    );
  });

  it('accepts a frame once more when a reader goes back behind it', () => {
    const frames = edgeOf([0, 0, 0], 0);
    const chain = new FrameChain({ ...registered(0), accepted: [[3, frames[2]!.check, 1]] });
    for (const frame of [frames[0]!, frames[2]!]) assert.equal(follow(chain, frame), undefined);
    chain.commit(3);
    chain.restart({}, 3);
    for (const frame of [frames[0]!, frames[2]!]) assert.equal(follow(chain, frame), undefined);
  });

  it('I6: a stream that was rolled back and grew again with other frames is noticed', () => {
    const [first, second] = [edgeOf([0, 0, 0, 0], 0), edgeOf([0, 0, 0, 0, 0], 0)];
    const chain = new FrameChain(registered(0));
    for (const frame of first) follow(chain, frame);
    const regrown = { ...second[4]!, link: { plan: 1, predecessor: 4, predecessorCheck: 99 } };
    assert.deepEqual(follow(new FrameChain(chain.commit(4)), regrown), {
      writer: 'orders-0',
      sequence: 5,
      check: regrown.check,
      taken: 4,
      named: 4,
    });
  });

  it('I6: a reader that is placed back notices what does not follow on the frames that its place rests on', () => {
    const frames = edgeOf([0, 0, 0, 0], 0);
    const placedBack = (writers: Chain['writers']) => {
      const chain = new FrameChain(registered(0));
      for (const frame of frames) follow(chain, frame);
      chain.commit(4);
      chain.restart(writers, 4);
      return chain;
    };
    const third = frames[2]!;
    assert.equal(follow(placedBack({ 'orders-0': [2, frames[1]!.check] }), third), undefined);
    assert.equal(follow(placedBack({ 'orders-0': [2, 99] }), third)?.taken, 2);
    assert.equal(follow(placedBack({ 'orders-0': [0, null] }), third)?.taken, 0);
    assert.equal(follow(placedBack({}), third)?.taken, 0);
  });

  it('I6: below the end that the stream had when a decision was acted upon, frames follow each other, too', () => {
    const frames = edgeOf([0, 0, 0, 0], 0);
    const chain = new FrameChain({ ...registered(9), writers: { 'orders-0': [1, frames[0]!.check] } });
    assert.equal(follow(chain, frames[2]!)?.named, 2);
    assert.equal(follow(chain, frames[1]!), undefined);
    assert.equal(follow(chain, frames[3]!)?.named, 3);
  });

  it('a frame that was refused changes nothing', () => {
    const frames = edgeOf([0, 0, 0], 0);
    const chain = new FrameChain(registered(0));
    follow(chain, frames[0]!);
    assert.equal(follow(chain, frames[2]!)?.named, 2);
    assert.equal(follow(chain, frames[1]!), undefined);
    assert.equal(follow(chain, frames[2]!), undefined);
  });

  it('a writer that begins anew is refused until it is known to have left', () => {
    const chain = new FrameChain(registered(0));
    follow(chain, edgeOf([0], 0)[0]!);
    const anew = { writer: 'orders-0', sequence: 9, link: { plan: 2, predecessor: 0, predecessorCheck: 0 }, check: 5 };
    assert.equal(follow(chain, anew)?.taken, 1);
    chain.begin(anew.writer, anew.sequence, anew);
    const second = { ...anew, sequence: 11, link: { ...anew.link, predecessor: 9, predecessorCheck: 5 }, check: 6 };
    assert.equal(follow(chain, second), undefined);
    assert.deepEqual(chain.commit(11).writers, { 'orders-0': [11, 6] });
  });
});
