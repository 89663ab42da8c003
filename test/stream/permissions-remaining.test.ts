/**
 * What the permissions of pods cannot keep a hostile pod from (H1–H4 of stream/permissions.ts), on a real nats-server. A
 * test that fails because the server has become stricter is good news: the list gets shorter.
 */
import assert from 'node:assert/strict';
import { AckPolicy } from '@nats-io/jetstream';
import {
  decisionSubject,
  edgeStream,
  frameSubject,
  leaseStream,
  leaseSubject,
  leaseSubjects,
  planSubject,
  reportStream,
  reportSubject,
} from '../../model/names.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { readDecision } from '../../stream/decisions.ts';
import type { StreamSettings } from '../../stream/jetstream-port.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../stream/streams.ts';
import { eventually } from '../support/eventually.ts';
import { testPlan } from './support/server.ts';
import { startGuardedServer, type GuardedServer } from './support/users.ts';

describe('a hostile pod of A still can', () => {
  let server: GuardedServer;
  let all: Streams;
  let a: Plan;
  let b: Plan;
  let pods: Streams;

  beforeEach(async () => {
    server = await startGuardedServer();
    all = await server.connect();
    await ensureSharedStreams(all);
    [a, b] = [testPlan(), testPlan()];
    for (const plan of [a, b]) await ensurePipelineStreams(all, plan);
    pods = await server.connectAsPods(a);
  });
  afterEach(() => server.stop());

  const main = ({ pipeline }: Plan) => edgeStream(pipeline.pid, 'main');
  const ofWriter = ({ pipeline }: Plan, writer: string) => frameSubject(pipeline.pid, 'main', 0, writer);
  const textAt = async (streams: Streams, stream: string, subject: string) => {
    const found = await streams.getMessage(stream, { last_by_subj: subject });
    return found === null ? undefined : Buffer.from(found.data).toString('utf8');
  };
  const change = async (more: Partial<StreamSettings>) => {
    const { config } = await pods.streamInfo(main(a));
    await pods.updateStream({ ...config, ...more, name: main(a), subjects: more.subjects ?? config.subjects });
  };

  it('H1: copy the frames of B into a stream of A, and read them there', async () => {
    await all.publish(ofWriter(b, 'orders-0'), 'a secret of B');
    await change({ sources: [{ name: main(b) }] });
    await eventually(async () => assert.equal(await textAt(pods, main(a), ofWriter(b, 'orders-0')), 'a secret of B'));
  });

  it('H1: copy the reports of B into a stream of A', async () => {
    const subject = reportSubject(b.pipeline.pid, 'sink-warehouse', 'pod');
    await all.publish(subject, 'a report of B');
    await change({ sources: [{ name: reportStream }] });
    await eventually(async () => assert.equal(await textAt(pods, main(a), subject), 'a report of B'));
  });

  it('H1: republish what A stores to a subject of B', async () => {
    await change({ republish: { src: ofWriter(a, 'forger'), dest: ofWriter(b, 'forged') } });
    await pods.publish(ofWriter(a, 'forger'), 'a frame of A');
    await eventually(async () => assert.equal(await textAt(all, main(b), ofWriter(b, 'forged')), 'a frame of A'));
  });

  it('H1: store what the control plane is answered', async () => {
    const { config } = await pods.streamInfo(main(a));
    await change({ subjects: [...config.subjects, '_INBOX.>'] });
    await all.streamInfo(main(b));
    await eventually(async () => assert.match((await textAt(pods, main(a), '_INBOX.>')) ?? '', /stream_info_response/));
  });

  it('H2: have an answer delivered to a subject of B', async () => {
    pods.nc.publish(`$JS.API.STREAM.INFO.${main(a)}`, '', { reply: ofWriter(b, 'forged') });
    await eventually(async () =>
      assert.match((await textAt(all, main(b), ofWriter(b, 'forged'))) ?? '', /stream_info_response/),
    );
  });

  it('H2: have a frame of A stored as one of B', async () => {
    await pods.publish(ofWriter(a, 'forger'), 'a frame of A');
    const query = JSON.stringify({ last_by_subj: ofWriter(a, 'forger') });
    pods.nc.publish(`$JS.API.DIRECT.GET.${main(a)}`, query, { reply: ofWriter(b, 'forged') });
    await eventually(async () => assert.equal(await textAt(all, main(b), ofWriter(b, 'forged')), 'a frame of A'));
  });

  it('H2: have a message of A stored as a decision about B', async () => {
    const forged = decisionSubject(b.pipeline.pid, 'main');
    await pods.publish(ofWriter(a, 'forger'), '{"number":1,"choice":"accept-loss"}');
    const query = JSON.stringify({ last_by_subj: ofWriter(a, 'forger') });
    pods.nc.publish(`$JS.API.DIRECT.GET.${main(a)}`, query, { reply: forged });
    await eventually(async () =>
      assert.equal((await readDecision(all, b.pipeline.pid, 'main'))?.choice, 'accept-loss'),
    );
  });

  it('H2: have a message stored in the stream of B that no reader meets and no writer sweeps', async () => {
    await pods.publish(ofWriter(a, 'forger'), 'a frame of A');
    const { name } = await pods.addConsumer(main(a), {
      filter_subject: ofWriter(a, 'forger'),
      ack_policy: AckPolicy.None,
    });
    pods.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${main(a)}.${name}`, '', { reply: ofWriter(b, 'forged') });
    // Under the subject that it had, which is none of B's.
    await eventually(async () => assert.equal(await textAt(all, main(b), ofWriter(a, 'forger')), 'a frame of A'));
  });

  it('H2: tell the pods of B what only the lifecycle tells them', async () => {
    const heard: string[] = [];
    const podsOfB = await server.connectAsPods(b);
    podsOfB.subscribe(planSubject(b.pipeline.pid), ({ data }) => heard.push(Buffer.from(data).toString('utf8')));
    await podsOfB.nc.flush();
    await pods.publish(ofWriter(a, 'forger'), 'a frame of A');
    await pods.addConsumer(main(a), {
      filter_subject: ofWriter(a, 'forger'),
      ack_policy: AckPolicy.None,
      deliver_subject: planSubject(b.pipeline.pid),
    });
    await eventually(() => assert.deepEqual(heard, ['a frame of A']));
  });

  it('H3: read the leases of B', async () => {
    const subject = leaseSubject(b.pipeline.pid, 'sink-warehouse', 0);
    await all.publish(subject, JSON.stringify({ pod: 'of B', run: '1' }));
    const found = await pods.lastOfEach(leaseStream, leaseSubjects(b.pipeline.pid));
    assert.deepEqual(
      found.map((one) => one.subject),
      [subject],
    );
  });

  it('H4: make the stream of leases one that copies the frames of B, in the moment in which there is none', async () => {
    await all.publish(ofWriter(b, 'orders-0'), 'a secret of B');
    await server.restart();
    const sources = [{ name: main(b) }];
    await eventually(() =>
      pods.addStream({ name: leaseStream, subjects: ['mr-lease.>'], sources, allow_direct: true }),
    );
    await eventually(async () => {
      const [found] = await pods.lastOfEach(leaseStream, ofWriter(b, 'orders-0'));
      assert.equal(Buffer.from(found?.data ?? []).toString('utf8'), 'a secret of B');
    });
  });
});
