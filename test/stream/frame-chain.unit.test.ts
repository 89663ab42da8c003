import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FrameChain, type Chain } from '../../stream/frame-chain.ts';

const registered = (since: number): Chain => ({ edge: 'e', decided: 0, since, writers: {} });

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
        let chain = new FrameChain(registered(position));
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
        const chain = new FrameChain(registered(0));
        for (const frame of frames.filter((one) => one !== missing)) {
          const broken = follow(chain, frame);
          if (frame !== next) {
            assert.equal(broken, undefined);
            continue;
          }
          assert.equal(broken?.named, missing.sequence);
          return;
        }
      }),
    );
  });

  it('I6: a stream that was rolled back and grew again with other frames is noticed', () => {
    const [first, second] = [edgeOf([0, 0, 0, 0], 0), edgeOf([0, 0, 0, 0, 0], 0)];
    const chain = new FrameChain(registered(0));
    for (const frame of first) follow(chain, frame);
    const regrown = { ...second[4]!, link: { plan: 1, predecessor: 4, predecessorCheck: 99 } };
    assert.deepEqual(follow(new FrameChain(chain.commit(4)), regrown), {
      writer: 'orders-0',
      sequence: 5,
      taken: 4,
      named: 4,
    });
  });

  it('I6: a reader that is placed where it stands goes on noticing it, and one that is placed before it does not', () => {
    const regrown = { ...edgeOf([0], 0)[0]!, sequence: 5, link: { plan: 1, predecessor: 4, predecessorCheck: 99 } };
    const placedAt = (position: number) => {
      const chain = new FrameChain(registered(0));
      for (const frame of edgeOf([0, 0, 0, 0], 0)) follow(chain, frame);
      chain.commit(4);
      chain.restart(position, 4);
      return chain;
    };
    assert.equal(follow(placedAt(4), regrown)?.taken, 4);
    assert.equal(follow(placedAt(3), regrown), undefined);
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
    chain.forget('orders-0');
    assert.equal(follow(chain, anew), undefined);
  });
});
