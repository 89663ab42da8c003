/** On what a position rests, as a reader notes it that is placed there; on a real nats-server. */
import { deepEqual, equal } from 'node:assert/strict';
import { edgeStream, frameSubject } from '../../model/names.ts';
import type { CommitEntry } from '../../stream/commit-entry.ts';
import type { Streams } from '../../stream/connection.ts';
import type { Chain } from '../../stream/frame-chain.ts';
import { emptyFrame } from '../../stream/frame-builder.ts';
import { checkOf, unlinked } from '../../stream/frame.ts';
import { firstAnew, headsAt, positionAfter, startOf, tailsUpTo } from '../../stream/reader-start.ts';
import { makePipelineStreams } from '../../stream/streams.ts';
import firstVersion from './frames/v1.json' with { type: 'json' };
import { testPlan, withTestServer } from './support/server.ts';

const one = 'orders-0';
const other = 'orders-1';
type Writer = typeof one | typeof other;
type Commit = Extract<CommitEntry, { kind: 'commit' }>;

describe('headsAt', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  /** `gone`: numbers of frames that are removed, of which those up to `givenUp` are not missed. `registered`: whether the source is. */
  async function noted(
    written: readonly Writer[],
    position: number,
    {
      gone = [],
      registered = true,
      givenUp,
    }: { readonly gone?: readonly number[]; readonly registered?: boolean; readonly givenUp?: number } = {},
  ): Promise<Readonly<Record<string, number>>> {
    const plan = testPlan({ shards: 1, sourceSlots: 2 });
    const { pid } = plan.pipeline;
    await makePipelineStreams(streams, plan);
    const lasts = new Map<Writer, readonly [number, number]>();
    const checks = new Map<number, number>();
    for (const writer of written) {
      const [predecessor, predecessorCheck] = lasts.get(writer) ?? [0, 0];
      const link = predecessor === 0 ? { ...unlinked, plan: 1 } : { plan: 1, predecessor, predecessorCheck };
      const frame = emptyFrame(predecessor, 0, link);
      const { seq } = await streams.publish(frameSubject(pid, 'main', 0, writer), frame);
      lasts.set(writer, [seq, checkOf(frame)]);
      checks.set(seq, checkOf(frame));
    }
    for (const sequence of gone) await streams.jsm.streams.deleteMessage(edgeStream(pid, 'main'), sequence);
    const sources = registered ? { orders: { slots: 2 } } : {};
    const [edge] = plan.edges;
    const heads = await headsAt(
      streams,
      { pid, edge: edge!, shard: 0 },
      undefined,
      { registry: { sources } },
      position,
      givenUp,
    );
    for (const [sequence, check] of Object.values(heads)) deepEqual(check, checks.get(sequence) ?? null);
    return sequencesOf(heads);
  }

  const many = (count: number): Writer[] => Array.from({ length: count }, () => one);

  it('notes the last frame of each writer up to the position', async () => {
    deepEqual(await noted([one, other, one, other, one], 3), { [one]: 3, [other]: 2 });
  });

  it('notes that a writer has none, or only later ones', async () => {
    deepEqual(await noted([one, one], 2), { [one]: 2, [other]: 0 });
    deepEqual(await noted([one, one, other], 2), { [one]: 2, [other]: 0 });
  });

  it('notes it however long ago that was', async () => {
    deepEqual(await noted([one, other, ...many(400)], 2), { [one]: 1, [other]: 2 });
  });

  it('notes a frame that is gone by the name that the next one gives it', async () => {
    deepEqual(await noted([one, one, one], 2, { gone: [2] }), { [one]: 2, [other]: 0 });
  });

  it('notes by that name also what is gone after the position: it was given up', async () => {
    deepEqual(await noted([one, one, one], 1, { gone: [2] }), { [one]: 2, [other]: 0 });
  });

  it('notes the last that is there where one is gone that nobody has given up, so that the reader asks', async () => {
    deepEqual(await noted([one, one, one], 1, { gone: [2], givenUp: 1 }), { [one]: 1, [other]: 0 });
    deepEqual(await noted([one, one, one], 1, { gone: [1, 2], givenUp: 1 }), { [one]: 0, [other]: 0 });
    deepEqual(await noted([other, ...many(40)], 30, { gone: [29, 30, 31], givenUp: 30 }), { [one]: 28, [other]: 1 });
    deepEqual(await noted([one, one, one], 1, { givenUp: 1 }), { [one]: 1, [other]: 0 });
    deepEqual(await noted([one, one, one], 1, { gone: [2], givenUp: 2 }), { [one]: 2, [other]: 0 });
  });

  it('notes writers that are not registered yet', async () => {
    deepEqual(await noted([one, other], 2, { registered: false }), { [one]: 1, [other]: 2 });
  });
});

function sequencesOf(heads: Chain['writers']): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(heads).map(([writer, [sequence]]) => [writer, sequence]));
}

describe('a position behind frames of version 1 and before one of version 2', () => {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  /** Three frames: two that name none, and one that could. The position is the second. */
  async function edgeOf() {
    const plan = testPlan({ shards: 1, sourceSlots: 1 });
    const { pid } = plan.pipeline;
    await makePipelineStreams(streams, plan);
    const ofFirst = Buffer.from(firstVersion['values, keys, headers and offsets'].base64, 'base64');
    const frames = [ofFirst, ofFirst, emptyFrame(3, 0, { ...unlinked, plan: 1 })];
    for (const frame of frames) await streams.publish(frameSubject(pid, 'main', 0, one), frame);
    const { created } = await streams.streamInfo(edgeStream(pid, 'main'));
    const sources = { orders: { slots: 1, leaving: false } };
    const registry = { created, opSeq: 1, readers: [], sources, gone: {}, kept: {} };
    const view = { created, lastSequence: 3, registry };
    return { shard: { pid, edge: plan.edges[0]!, shard: 0 }, view };
  }
  const entryOf = (chain: Pick<Chain, 'edge' | 'since' | 'writers'>): Commit => ({
    kind: 'commit',
    to: 2,
    chain: { decided: 0, ...chain },
  });

  for (const isSwept of [false, true])
    it(`is that of an edge which is in order, for a sink that goes back${isSwept ? ', also when they were swept' : ''}`, async () => {
      const { shard, view } = await edgeOf();
      const { pid } = shard;
      const filter = frameSubject(pid, 'main', 0, one);
      if (isSwept) await streams.purgeStream(edgeStream(pid, 'main'), { filter, seq: 3 });
      const entry = entryOf({ edge: view.created, since: 0, writers: { [one]: [2, null] } });
      equal(startOf(entry, view, await tailsUpTo(streams, shard, entry, view, 2)).kind, 'ready');
    });

  it('stays where it is when a person accepts another loss: what was there when the reader was placed is not new', async () => {
    const { shard, view } = await edgeOf();
    const placed = entryOf({ edge: view.created, since: 0, writers: {} });
    const writers = await headsAt(streams, shard, placed, view, 2);
    const entry: Commit = { ...entryOf({ edge: view.created, since: 2, writers }), set: true };
    const anew = await firstAnew(streams, shard, entry, view);
    equal(anew, Infinity);
    equal(positionAfter(entry, view, anew, { choice: 'accept-loss', upTo: undefined }), 2);
  });
});
