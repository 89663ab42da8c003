/**
 * Somebody purges the frames of an edge under a source and a sink at work, on a real nats-server. What each of them says of a
 * choice is what comes of it.
 */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { parseDecision } from '../../model/decision.ts';
import { edgeStream, frameSubject } from '../../model/names.ts';
import type { Streams } from '../../stream/connection.ts';
import { carryOut } from '../../stream/carry-out.ts';
import { isDrained } from '../../stream/drained.ts';
import { ensurePipelineStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { MemoryTable, NumberSource, type Witness } from './support/fakes.ts';
import { testPlan, withTestServer } from './support/server.ts';
import { drain, eagerClock, ingest } from './support/stages.ts';

describe('frames of an edge are purged', function () {
  let streams: Streams;
  withTestServer((connected) => {
    streams = connected;
  });

  const question = ({ waitSentences }: Witness, token: string) =>
    eventually(() => {
      const asked = waitSentences.find((text) => text.includes(` ${token} accept-loss`));
      assert.ok(asked !== undefined, `nobody asks under ${token}`);
      return asked;
    });

  /** Ten records of the first life; the source's pod is a new one. */
  async function purged(keep: 'none' | 'first') {
    const plan = testPlan({ shards: 1, sourceSlots: 1, frame: { maxRecords: 5, maxBytes: 10_000, lingerMs: 1 } });
    const { pid } = plan.pipeline;
    const table = new MemoryTable();
    await ensurePipelineStreams(streams, plan);
    let total = 5;
    const start = () => ingest(streams, plan, (at) => new NumberSource(at, { batch: 5, available: () => total }));
    const sink = drain(streams, plan, table);
    const first = start();
    await eventually(() => table.rows.length === 5);
    await eventually(async () => (await isDrained(streams, plan)).drained);
    const stream = edgeStream(pid, 'main');
    const subject = frameSubject(pid, 'main', 0, 'orders-0');
    const kept = await streams.getMessage(stream, { last_by_subj: subject });
    total = 10;
    await eventually(() => table.rows.length === 10);
    await eventually(async () => (await isDrained(streams, plan)).drained);
    await first.stop();
    if (keep === 'none') await streams.purgeStream(stream, { filter: subject });
    else {
      const last = await streams.getMessage(stream, { last_by_subj: subject });
      for (let seq = (kept?.seq ?? 0) + 1; seq <= (last?.seq ?? 0); seq++)
        await streams.jsm.streams.deleteMessage(stream, seq);
    }
    const decide = async (text: string) => {
      const decision = parseDecision(text);
      if (decision === undefined) throw new TypeError(text);
      await carryOut({ streams, opSeq: 1, clock: eagerClock, replicas: 1, cluster: 'test', known: [] }, plan, decision);
    };
    const ids = () => table.rows.map(({ value }) => z.number().parse(value['n']));
    return { plan, sink, decide, ids, source: start(), more: (to: number) => (total = to) };
  }

  const upTo = (to: number, from = 0) => Array.from({ length: to - from }, (_, n) => from + n);

  for (const [keep, says, again] of [
    [
      'none',
      /accept-loss` reads the source again from its beginning .*what sinks had taken of it after that is written twice/,
      0,
    ],
    [
      'first',
      /accept-loss` reads the source again from where it stood in the last frame that is left; what sinks had/,
      5,
    ],
  ] as const) {
    it(`with ${keep} left, both accept a loss: the source is read again from ${again}, as both have said`, async () => {
      const { plan, source, sink, decide, ids, more } = await purged(keep);
      assert.match(await question(source.witness, 'main.1'), says);
      await decide('main.1=accept-loss');
      assert.match(
        await question(sink.witness, 'main.2'),
        /accept-loss` continues after \d+, what is committed, .*what a source that has lost its frames reads again counts as new and is written twice/,
      );
      await decide('main.2=accept-loss');
      more(12);
      await eventually(async () => {
        assert.ok(ids().includes(11));
        assert.ok((await isDrained(streams, plan)).drained);
      });
      await Promise.all([source.stop(), sink.stop()]);
      assert.deepEqual(ids(), [...upTo(10), ...upTo(12, again)]);
    });
  }
});
