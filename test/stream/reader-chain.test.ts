/** I6: what a reader says of a frame that does not follow the one that it has taken; the registry is on a real nats-server. */
import { rejects } from 'node:assert/strict';
import { FrameChain } from '../../stream/frame-chain.ts';
import { emptyFrame } from '../../stream/frame-builder.ts';
import { decodeFrame } from '../../stream/frame-reader.ts';
import { ReaderChain } from '../../stream/reader-chain.ts';
import { type SmallPipeline, withSmallPipeline } from './support/small-pipeline.ts';
import { eagerClock } from './support/stages.ts';

describe('a frame that does not follow', () => {
  let pipeline: SmallPipeline;
  withSmallPipeline((made) => {
    pipeline = made;
  });

  for (const [what, predecessor, found] of [
    ['another frame of the same number', 11, 'follows another frame 11 than the one that was taken'],
    ['another number', 10, 'follows frame 10'],
    ['none', 0, 'starts a new chain'],
  ] as const) {
    it(`names ${what}, and the question says so`, async () => {
      const { streams, pid } = pipeline;
      const taken = { edge: '', decided: 0, since: 0, writers: { 'orders-0': [11, 5] satisfies [number, number] } };
      const asking = { streams, clock: eagerClock, random: () => 0.5, onWaiting: () => undefined };
      const chain = new ReaderChain({ ...asking, pid, edge: 'main', chain: new FrameChain(taken) });
      const frame = decodeFrame(emptyFrame(null, 0, { plan: 1, predecessor, predecessorCheck: 6 }), {
        stream: pipeline.main,
        sequence: 12,
      });
      await rejects(chain.follow('orders-0', 12, frame, new AbortController().signal), {
        found: `frame 12 of orders-0, of which frame 11 was taken last, ${found}`,
      });
    });
  }
});
