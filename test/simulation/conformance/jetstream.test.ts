import assert from 'node:assert/strict';
import { AckPolicy, DeliverPolicy, DiscardPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { JetStreamPort } from '../../../stream/jetstream-port.ts';
import { ensureSharedStreams } from '../../../stream/streams.ts';
import { edgeSettings, modelledServer, openPull, outcome, realServer, type Bench } from './benches.ts';

const text = (length: number) => 'x'.repeat(length);
const published = (call: Promise<{ seq: number }>) => outcome(call.then(({ seq }) => ({ seq })));
const stored = (seq: number) => ({ seq });
const together = { allow_atomic: true, allow_msg_ttl: true };

function consumerFrom(port: JetStreamPort, first: number, filter = 'edge.>') {
  return port.addConsumer('edge', {
    filter_subject: filter,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: first,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(120_000),
    mem_storage: true,
    num_replicas: 1,
  });
}

for (const rig of [realServer(), modelledServer()]) {
  describe(`JetStream as the simulation relies on it: ${rig.name}`, () => {
    before(() => rig.open());
    after(() => rig.close());

    const ask = (what: string, question: (bench: Bench) => Promise<void>) => it(what, () => rig.run(question));

    ask(
      'without its stream, a publish and a direct get have nobody to answer, and the API says not found',
      async ({ port }) => {
        assert.equal(await outcome(port.publish('edge.a', 'x')), 'nobody answers');
        assert.equal(await outcome(port.directGet('edge', { last_by_subj: 'edge.a' })), 'nobody answers');
        assert.equal(await outcome(port.getMessage('edge', { seq: 1 })), 'stream not found');
        assert.equal(await outcome(port.streamInfo('edge')), 'stream not found');
        assert.equal(await outcome(port.purgeStream('edge', { filter: 'edge.a' })), 'stream not found');
        assert.equal(await outcome(port.deleteStream('edge')), 'stream not found');
        assert.equal(await outcome(port.updateStream(edgeSettings)), 'stream not found');
        assert.equal(await outcome(consumerFrom(port, 1)), 'stream not found');
      },
    );

    ask(
      'without its stream, a publish that somebody else listens to is answered by nobody, and nobody says so',
      async ({ port, other }) => {
        other.subscribe('edge.>', () => undefined);
        await outcome(other.streamInfo('edge'));
        await assert.rejects(port.publish('edge.a', 'x', { timeoutMs: 200 }), { name: 'TimeoutError' });
      },
    );

    ask('what is not there is null or nothing', async ({ port }) => {
      await port.addStream(edgeSettings);
      assert.equal(await port.getMessage('edge', { last_by_subj: 'edge.a' }), null);
      assert.equal(await port.getMessage('edge', { seq: 7 }), null);
      assert.equal(await port.directGet('edge', { last_by_subj: 'edge.a' }), null);
      assert.equal(await port.directGet('edge', { seq: 1, next_by_subj: 'edge.>' }), null);
      assert.deepEqual(await port.lastOfEach('edge', 'edge.>'), []);
      assert.deepEqual(await port.streamNames('nowhere.>'), []);
      assert.deepEqual(await port.streamNames('edge.>'), ['edge']);
      assert.equal(await outcome(port.deleteConsumer('edge', 'nobody')), 10014);
    });

    ask('a stream is made once; another of its name or its subjects is refused', async ({ port }) => {
      await port.addStream(edgeSettings);
      await port.addStream(edgeSettings);
      assert.equal(await outcome(port.addStream({ ...edgeSettings, max_bytes: 5 })), 10058);
      assert.equal(await outcome(port.addStream({ ...edgeSettings, name: 'other' })), 10065);
    });

    ask('a stream begins at the sequence that is asked for, and an update leaves that', async ({ port }) => {
      await port.addStream({ ...edgeSettings, first_seq: 1_795_768_205_235_000 });
      await port.updateStream(edgeSettings);
      assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 0 })), stored(1_795_768_205_235_000));
    });

    ask('E1, E4: a publish is refused unless it expects the last sequence of its subject', async ({ port }) => {
      await port.addStream(edgeSettings);
      assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 0 })), stored(1));
      assert.deepEqual(await published(port.publish('edge.b', 'x', { expectLast: 0 })), stored(2));
      assert.equal(await published(port.publish('edge.a', 'x', { expectLast: 0 })), 10071);
      assert.equal(await published(port.publish('edge.a', 'x', { expectLast: 2 })), 10071);
      assert.equal(await published(port.publish('edge.c', 'x', { expectLast: 9 })), 10071);
      assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 1 })), stored(3));
      assert.deepEqual(await published(port.publish('edge.a', 'x')), stored(4));
    });

    ask('a subject whose messages are gone begins again at 0, and sequences go on', async ({ port }) => {
      await port.addStream(edgeSettings);
      await port.publish('edge.a', 'x');
      await port.purgeStream('edge', { filter: 'edge.a' });
      assert.equal(await published(port.publish('edge.a', 'x', { expectLast: 1 })), 10071);
      assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 0 })), stored(2));
      assert.equal((await port.streamInfo('edge')).state.first_seq, 2);
    });

    ask('the last message comes with subject, sequence, bytes and headers, from leader and copy', async ({ port }) => {
      await port.addStream(edgeSettings);
      await port.publish('edge.a', 'one', { headers: { 'Millrace-Append': 'me/1' } });
      await port.publish('edge.b', 'two');
      const found = await port.getMessage('edge', { last_by_subj: 'edge.a' });
      assert.deepEqual([found?.seq, found?.subject, Buffer.from(found?.data ?? []).toString()], [1, 'edge.a', 'one']);
      assert.equal(found?.header.get('Millrace-Append'), 'me/1');
      assert.equal(found.header.has('Other'), false);
      assert.equal((await port.directGet('edge', { last_by_subj: 'edge.b' }))?.seq, 2);
      assert.equal((await port.directGet('edge', { seq: 2, next_by_subj: 'edge.>' }))?.seq, 2);
      assert.equal((await port.getMessage('edge', { seq: 2 }))?.subject, 'edge.b');
      assert.equal((await port.getMessage('edge', { seq: 1, next_by_subj: 'edge.b' }))?.seq, 2);
      assert.equal(await port.getMessage('edge', { seq: 2, next_by_subj: 'edge.a' }), null);
    });

    ask('the last of each subject, in the order of sequences', async ({ port }) => {
      await port.addStream(edgeSettings);
      for (const subject of ['edge.a.0', 'edge.b.0', 'edge.a.0', 'edge.c.1']) await port.publish(subject, 'x');
      const found = await port.lastOfEach('edge', 'edge.*.0');
      assert.deepEqual(
        found.map(({ subject, seq }) => [subject, seq]),
        [
          ['edge.b.0', 2],
          ['edge.a.0', 3],
        ],
      );
      assert.deepEqual((await port.subjectsOf('edge', 'edge.*.0')).sort(), ['edge.a.0', 'edge.b.0']);
      await port.purgeStream('edge', { filter: 'edge.a.0' });
      assert.deepEqual(await port.subjectsOf('edge', 'edge.*.0'), ['edge.b.0']);
      assert.deepEqual(await port.subjectsOf('edge', 'edge.none.*'), []);
    });

    ask(
      'E7: what does not fit into a stream that discards the new is refused, whatever it expects',
      async ({ port }) => {
        await port.addStream({ ...edgeSettings, max_bytes: 400 });
        assert.equal(await published(port.publish('edge.a', text(400), { expectLast: 3 })), 10071);
        assert.equal(await published(port.publish('edge.a', text(400))), 10077);
        // 22 + 8 of the store, 6 of the subject, and with a header 4 more and what it takes.
        assert.equal(await published(port.publish('edge.a', text(365))), 10077);
        assert.deepEqual(await published(port.publish('edge.a', text(364))), stored(1));
        assert.equal((await port.streamInfo('edge')).state.bytes, 400);
        await port.purgeStream('edge', { filter: 'edge.a' });
        await port.publish('edge.a', 'x', { headers: { Name: 'value' }, expectLast: 0 });
        assert.equal((await port.streamInfo('edge')).state.bytes, 30 + 4 + 6 + 12 + 13 + 40 + 1 - 2 + 2);
      },
    );

    ask(
      'a stream that discards the old drops its oldest; one message larger than all of it drops everything',
      async ({ port }) => {
        await port.addStream({ ...edgeSettings, discard: DiscardPolicy.Old, max_bytes: 300 });
        for (let n = 0; n < 5; n++) await port.publish('edge.a', text(60));
        const { state } = await port.streamInfo('edge');
        assert.deepEqual([state.first_seq, state.last_seq, state.messages], [3, 5, 3]);
        assert.deepEqual(await published(port.publish('edge.a', text(400))), stored(6));
        assert.equal(await port.getMessage('edge', { last_by_subj: 'edge.a' }), null);
        assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 0 })), stored(7));
      },
    );

    ask('one message a subject: the one before goes', async ({ port }) => {
      await port.addStream({ ...edgeSettings, discard: DiscardPolicy.Old, max_msgs_per_subject: 1 });
      for (let n = 0; n < 3; n++) await port.publish('edge.a', 'x', { expectLast: n });
      await port.publish('edge.b', 'x');
      const { state } = await port.streamInfo('edge');
      assert.deepEqual([state.first_seq, state.last_seq, state.messages], [3, 4, 2]);
      assert.equal(await port.getMessage('edge', { seq: 2 }), null);
    });

    ask(
      'J3: what is published alongside is stored with the message, before it, and only when its subject has none',
      async ({ port }) => {
        await port.addStream({ ...edgeSettings, ...together });
        const alongside = { subject: 'edge.note.k', data: 'first', ttlSeconds: 60 };
        assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 0, alongside })), stored(2));
        assert.equal(await published(port.publish('edge.a', 'x', { expectLast: 2, alongside })), 10071);
        assert.equal(await published(port.publish('edge.b', 'x', { expectLast: 0, alongside })), 10071);
        const other = { ...alongside, subject: 'edge.note.l' };
        assert.equal(await published(port.publish('edge.a', 'x', { expectLast: 1, alongside: other })), 10071);
        assert.equal(await port.getMessage('edge', { last_by_subj: 'edge.note.l' }), null);
        const note = await port.getMessage('edge', { last_by_subj: 'edge.note.k' });
        assert.deepEqual([note?.seq, Buffer.from(note?.data ?? []).toString()], [1, 'first']);
        assert.equal((await port.streamInfo('edge')).state.messages, 2);
      },
    );

    ask('J3: neither is stored when there is no room for both', async ({ port }) => {
      await port.addStream({ ...edgeSettings, ...together, max_bytes: 1_000 });
      const alongside = { subject: 'edge.note.k', data: text(500), ttlSeconds: 60 };
      assert.equal(await published(port.publish('edge.a', text(500), { alongside })), 10077);
      assert.equal((await port.streamInfo('edge')).state.messages, 0);
      assert.deepEqual(await published(port.publish('edge.a', 'x')), stored(1));
    });

    ask(
      'J3: a note outlives a restart and the message that it came with, until its time',
      async ({ port, ...bench }) => {
        await port.addStream({ ...edgeSettings, ...together });
        const alongside = { subject: 'edge.note.k', data: 'first', ttlSeconds: 3 };
        await port.publish('edge.a', 'x', { expectLast: 0, alongside });
        await port.publish('edge.a', 'x', { expectLast: 2 });
        await port.purgeStream('edge', { filter: 'edge.a', seq: 3 });
        await bench.restart();
        assert.equal(await published(port.publish('edge.a', 'x', { expectLast: 3, alongside })), 10071);
        await bench.sleep(4_500);
        assert.equal(await port.getMessage('edge', { last_by_subj: 'edge.note.k' }), null);
        assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 3, alongside })), stored(5));
      },
    );

    ask('a restart keeps what was acknowledged', async ({ port, restart }) => {
      await port.addStream(edgeSettings);
      await port.publish('edge.a', 'x');
      await port.publish('edge.a', 'x');
      await port.purgeStream('edge', { filter: 'edge.a', seq: 2 });
      const { created } = await port.streamInfo('edge');
      await restart();
      assert.equal((await port.streamInfo('edge')).created, created);
      assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 2 })), stored(3));
    });

    ask('a stream that is made anew counts from 1 and says another time', async ({ port, sleep }) => {
      await port.addStream(edgeSettings);
      await port.publish('edge.a', 'x');
      const { created } = await port.streamInfo('edge');
      await port.deleteStream('edge');
      await sleep(5);
      await port.addStream(edgeSettings);
      assert.notEqual((await port.streamInfo('edge')).created, created);
      assert.deepEqual(await published(port.publish('edge.a', 'x', { expectLast: 0 })), stored(1));
    });

    ask('a purge removes what the filter matches below the sequence', async ({ port }) => {
      await port.addStream(edgeSettings);
      for (const subject of ['edge.a', 'edge.b', 'edge.a', 'edge.b', 'edge.a']) await port.publish(subject, 'x');
      await port.purgeStream('edge', { filter: 'edge.a', seq: 5 });
      await port.purgeStream('edge', { filter: 'edge.c' });
      const { state } = await port.streamInfo('edge');
      assert.deepEqual([state.first_seq, state.last_seq, state.messages], [2, 5, 3]);
    });

    ask('a smaller bound is taken over: the old go where the old are discarded, nothing else', async ({ port }) => {
      await port.addStream({ ...edgeSettings, max_bytes: 1_000 });
      for (let n = 0; n < 5; n++) await port.publish('edge.a', text(100));
      await port.updateStream({ ...edgeSettings, max_bytes: 300 });
      assert.equal((await port.streamInfo('edge')).state.messages, 5);
      assert.equal(await published(port.publish('edge.a', 'x')), 10077);
      await port.updateStream({ ...edgeSettings, discard: DiscardPolicy.Old, max_bytes: 300 });
      assert.equal((await port.streamInfo('edge')).state.messages, 2);
    });

    ask(
      'core subscribers hear every publish, refused ones too, and other clients their subject only',
      async ({ port, other, sleep }) => {
        await port.addStream(edgeSettings);
        const heard: string[] = [];
        const end = other.subscribe('edge.a.>', ({ subject, data }) => heard.push(`${subject} ${data.length}`));
        await other.streamInfo('edge');
        await port.publish('edge.a.1', 'x');
        await outcome(port.publish('edge.a.2', 'xx', { expectLast: 9 }));
        await port.publish('edge.b.1', 'x');
        await sleep(50);
        end();
        await other.streamInfo('edge');
        await port.publish('edge.a.1', 'x');
        await sleep(50);
        assert.deepEqual(heard, ['edge.a.1 1', 'edge.a.2 2']);
      },
    );

    ask('a subscription outlives a restart of the server', async ({ port, other, sleep, restart }) => {
      await port.addStream(edgeSettings);
      let heard = 0;
      other.subscribe('edge.>', () => heard++);
      await restart();
      await port.publish('edge.a', 'x');
      await sleep(50);
      assert.equal(heard, 1);
    });

    ask(
      'R1: a consumer delivers its subjects in order, counts without gap, and says how many are left',
      async ({ port, sleep }) => {
        await port.addStream(edgeSettings);
        for (const subject of ['edge.a', 'edge.b', 'edge.a', 'edge.a']) await port.publish(subject, 'x');
        const { name, pending } = await consumerFrom(port, 1, 'edge.a');
        assert.equal(pending, 3);
        const { channel, seen } = openPull(port, 'edge', name);
        channel.request({ messages: 2, expiresMs: 5_000, heartbeatMs: 1_000 });
        await sleep(100);
        assert.deepEqual(seen.splice(0), [
          [1, 1, 2],
          [3, 2, 1],
        ]);
        channel.request({ messages: 10, expiresMs: 5_000, heartbeatMs: 1_000 });
        await sleep(100);
        await port.publish('edge.a', 'x');
        await sleep(100);
        assert.deepEqual(seen, [
          [4, 3, 0],
          [5, 4, 0],
        ]);
      },
    );

    ask('a consumer goes on after what was purged, and may start just after the last', async ({ port, sleep }) => {
      await port.addStream(edgeSettings);
      for (let n = 0; n < 5; n++) await port.publish('edge.a', 'x');
      const one = await consumerFrom(port, 1);
      // Not later: of messages before its start that come meanwhile, nats-server 2.15.2 says that they are still to come.
      const late = await consumerFrom(port, 6);
      assert.deepEqual([one.pending, late.pending], [5, 0]);
      await port.purgeStream('edge', { filter: 'edge.a', seq: 4 });
      const { channel, seen } = openPull(port, 'edge', one.name);
      channel.request({ messages: 10, expiresMs: 5_000, heartbeatMs: 1_000 });
      const { channel: lateChannel, seen: lateSeen } = openPull(port, 'edge', late.name);
      lateChannel.request({ messages: 10, expiresMs: 5_000, heartbeatMs: 1_000 });
      await sleep(100);
      for (let n = 0; n < 4; n++) await port.publish('edge.a', 'x');
      await sleep(100);
      assert.deepEqual(seen.slice(0, 2), [
        [4, 1, 1],
        [5, 2, 0],
      ]);
      assert.deepEqual(
        lateSeen.map((one) => (one as number[])[0]),
        [6, 7, 8, 9],
      );
    });

    ask('R2: a pull ends when the next message does not fit its bytes', async ({ port, sleep }) => {
      await port.addStream(edgeSettings);
      for (let n = 0; n < 3; n++) await port.publish('edge.a', text(500));
      const { name } = await consumerFrom(port, 1);
      const { channel, seen } = openPull(port, 'edge', name);
      channel.request({ messages: 10, maxBytes: 300, expiresMs: 5_000, heartbeatMs: 1_000 });
      await sleep(100);
      assert.deepEqual(seen.splice(0), ['409 Message Size Exceeds MaxBytes']);
      channel.request({ messages: 10, maxBytes: 900, expiresMs: 5_000, heartbeatMs: 1_000 });
      await sleep(100);
      assert.deepEqual(seen, [[1, 1, 2], '409 Message Size Exceeds MaxBytes']);
    });

    ask('R3: a quiet pull beats, and ends in time', async ({ port, sleep }) => {
      await port.addStream(edgeSettings);
      const { name } = await consumerFrom(port, 1);
      const { channel, seen } = openPull(port, 'edge', name);
      channel.request({ messages: 10, expiresMs: 1_500, heartbeatMs: 500 });
      await sleep(2_300);
      assert.deepEqual([seen[0], seen.at(-1)], ['100 Idle Heartbeat 0', '408 Request Timeout']);
    });

    ask(
      'a pull hears when its consumer or its stream is deleted; one without a consumer has nobody to answer',
      async ({ port, sleep }) => {
        await port.addStream(edgeSettings);
        const one = await consumerFrom(port, 1);
        const two = await consumerFrom(port, 1);
        const first = openPull(port, 'edge', one.name);
        const second = openPull(port, 'edge', two.name);
        for (const { channel } of [first, second])
          channel.request({ messages: 1, expiresMs: 5_000, heartbeatMs: 1_000 });
        await sleep(50);
        await port.deleteConsumer('edge', one.name);
        await sleep(50);
        assert.deepEqual([first.seen.splice(0), second.seen], [['409 Consumer Deleted'], []]);
        first.channel.request({ messages: 1, expiresMs: 5_000, heartbeatMs: 1_000 });
        await port.deleteStream('edge');
        await sleep(50);
        assert.deepEqual([first.seen, second.seen], [[503], ['409 Consumer Deleted']]);
      },
    );

    ask('a consumer in memory does not outlive its server', async ({ port, sleep, restart }) => {
      await port.addStream(edgeSettings);
      await port.publish('edge.a', 'x');
      const { name } = await consumerFrom(port, 1);
      await restart();
      const { channel, seen } = openPull(port, 'edge', name);
      channel.request({ messages: 1, expiresMs: 5_000, heartbeatMs: 1_000 });
      await sleep(100);
      assert.deepEqual(seen, [503]);
    });

    ask('L3: a lease that expires leaves a marker, whose sequence the next owner expects', async ({ port, sleep }) => {
      await ensureSharedStreams(port);
      const subject = 'mr-lease.p.sink.0';
      const take = (expectLast: number) => published(port.publish(subject, '{}', { ttlSeconds: 1, expectLast }));
      assert.deepEqual(await take(0), stored(1));
      assert.deepEqual(await take(1), stored(2));
      assert.equal(await take(1), 10071);
      await sleep(2_300);
      const [marker] = await port.lastOfEach('mr-leases', 'mr-lease.p.>');
      assert.deepEqual([marker?.seq, marker?.data.length], [3, 0]);
      assert.equal(marker?.header.get('Nats-Marker-Reason'), 'MaxAge');
      assert.equal(await take(0), 10071);
      assert.deepEqual(await take(3), stored(4));
    });

    ask('S2: a stream in memory is gone after a restart', async ({ port, restart }) => {
      await ensureSharedStreams(port);
      await port.publish('mr-report.p.sink.pod', 'x');
      await restart();
      assert.equal(await outcome(port.streamInfo('mr-reports')), 'stream not found');
      await ensureSharedStreams(port);
      assert.deepEqual(await port.lastOfEach('mr-reports', '>'), []);
    });

    ask('messages go when they are too old', async ({ port, sleep }) => {
      await port.addStream({
        name: 'reports',
        subjects: ['reports.>'],
        storage: StorageType.Memory,
        max_age: nanos(300),
        duplicate_window: nanos(100),
        allow_direct: true,
      });
      await port.publish('reports.a', 'x');
      await sleep(1_000);
      assert.deepEqual(await port.lastOfEach('reports', 'reports.>'), []);
      assert.deepEqual(await published(port.publish('reports.a', 'x', { expectLast: 0 })), stored(2));
    });
  });
}
