/**
 * What pods may do on NATS, asked of a real server in operator mode: the pods of pipeline A, beside a pipeline B of the
 * same account.
 */
import assert from 'node:assert/strict';
import { errors, type NatsConnection } from '@nats-io/transport-node';
import {
  commitSubject,
  decisionSubject,
  edgeStream,
  frameSubject,
  inboxOf,
  leaseStream,
  leaseSubject,
  leaseSubjects,
  onceSubject,
  planSubject,
  questionSubject,
  registrySubject,
  reportStream,
  reportSubject,
  reportSubjects,
  storedPlanSubject,
} from '../../model/names.ts';
import type { Streams } from '../../stream/connection.ts';
import { ensurePipelineStreams, ensureSharedStreams } from '../../stream/streams.ts';
import { testPlan } from './support/server.ts';
import { startGuardedServer, type GuardedServer } from './support/users.ts';

describe('permissions of pods', () => {
  const a = testPlan();
  const b = testPlan();
  const { pid } = b.pipeline;
  let server: GuardedServer;
  let all: Streams;
  let pods: Streams;

  before(async () => {
    server = await startGuardedServer();
    all = await server.connect();
    await ensureSharedStreams(all);
    for (const plan of [a, b]) await ensurePipelineStreams(all, plan);
    pods = await server.connectAsPods(a);
  });
  after(() => server.stop());

  describe("refuse A's pods", () => {
    const [main, commits, dead] = ['main', 'commits', 'dead'].map((edge) => edgeStream(pid, edge));
    const ownCommits = edgeStream(a.pipeline.pid, 'commits');

    const subjects = [
      frameSubject(pid, 'main', 0, 'orders-0'),
      onceSubject(pid, 'main', 'key'),
      commitSubject(pid, 'sink-warehouse', 0),
      questionSubject(pid, 'main', 'sink-warehouse.0'),
      frameSubject(pid, 'dead', 0, 'orders-0'),
      leaseSubject(pid, 'sink-warehouse', 0),
      reportSubject(pid, 'sink-warehouse', 'pod'),
      `${inboxOf(pid)}.answer`,
      '_INBOX.answer',
      planSubject(pid),
      'anything',
    ];
    for (const subject of subjects)
      it(`publishing to ${named(subject)} of B or of nobody`, () => isRefused(pods.nc, subject));

    const ofLifecycle = [
      planSubject(a.pipeline.pid),
      storedPlanSubject(a.pipeline.pid, 1),
      registrySubject(a.pipeline.pid, 'main'),
      decisionSubject(a.pipeline.pid, 'main'),
    ];
    for (const subject of ofLifecycle)
      it(`publishing to ${named(subject)} of A, which is the lifecycle's`, () => isRefused(pods.nc, subject));

    const onStream = [
      'STREAM.INFO',
      'STREAM.CREATE',
      'STREAM.UPDATE',
      'STREAM.DELETE',
      'STREAM.PURGE',
      'STREAM.MSG.GET',
      'STREAM.MSG.DELETE',
      'STREAM.SNAPSHOT',
      'STREAM.RESTORE',
      'STREAM.LEADER.STEPDOWN',
      'DIRECT.GET',
      'CONSUMER.CREATE',
      'CONSUMER.NAMES',
      'CONSUMER.LIST',
    ];
    for (const stream of [main, commits, dead])
      for (const what of onStream)
        it(`${what} of ${named(stream ?? '')} of B`, () => isRefused(pods.nc, `$JS.API.${what}.${stream}`));

    const more = [
      `$JS.API.DIRECT.GET.${main}.${frameSubject(pid, 'main', 0, 'orders-0')}`,
      `$JS.API.CONSUMER.CREATE.${main}.own`,
      `$JS.API.CONSUMER.CREATE.${main}.own.${frameSubject(pid, 'main', 0, 'orders-0')}`,
      `$JS.API.CONSUMER.DURABLE.CREATE.${main}.own`,
      `$JS.API.CONSUMER.MSG.NEXT.${main}.reader`,
      `$JS.API.CONSUMER.INFO.${main}.reader`,
      `$JS.API.CONSUMER.DELETE.${main}.reader`,
      `$JS.ACK.${main}.reader.1.1.1.1.0`,
      `$JS.FC.${main}.reader.1`,
    ];
    for (const subject of more) it(`${named(subject)} of B`, () => isRefused(pods.nc, subject));

    const shared = [leaseStream, reportStream].flatMap((stream) => [
      ...onStream
        .filter((what) => what !== 'STREAM.CREATE' && !(what === 'DIRECT.GET' && stream === leaseStream))
        .map((what) => `$JS.API.${what}.${stream}`),
      `$JS.API.CONSUMER.CREATE.${stream}.own.${stream === leaseStream ? leaseSubjects(pid) : reportSubjects(pid)}`,
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.reader`,
      `$JS.API.DIRECT.GET.${stream}.${leaseSubject(pid, 'sink-warehouse', 0)}`,
    ]);
    for (const subject of shared) it(`${named(subject)}, shared by all pipelines`, () => isRefused(pods.nc, subject));

    const others = [
      '$JS.API.INFO',
      '$JS.API.STREAM.NAMES',
      '$JS.API.STREAM.LIST',
      '$JS.API.STREAM.CREATE.own',
      '$JS.API.META.LEADER.STEPDOWN',
      `$JS.API.STREAM.DELETE.${edgeStream(a.pipeline.pid, 'main')}`,
      `$JS.API.STREAM.UPDATE.${ownCommits}`,
      `$JS.API.STREAM.PURGE.${edgeStream(a.pipeline.pid, 'dead')}`,
      `$JS.API.STREAM.MSG.DELETE.${ownCommits}`,
      '$SYS.REQ.SERVER.PING',
      '$SYS.REQ.ACCOUNT.PING.CONNZ',
      '$SYS.REQ.USER.INFO',
    ];
    for (const subject of others) it(named(subject), () => isRefused(pods.nc, subject));

    const heard = [
      '>',
      '*.>',
      `mr.${pid}.>`,
      frameSubject(pid, 'main', 0, 'orders-0'),
      `mr.${pid}.commits.meta.>`,
      leaseSubjects(pid),
      'mr-lease.>',
      reportSubjects(pid),
      reportSubjects(a.pipeline.pid),
      `${inboxOf(pid)}.>`,
      '_INBOX.>',
      '*.answer',
      '$JS.EVENT.>',
      '$SYS.>',
      `$JS.API.STREAM.INFO.${main}`,
    ];
    for (const subject of heard) it(`subscribing to ${named(subject)}`, () => isUnheard(pods.nc, subject));
  });

  /** Names are made anew in each run: the titles of tests are not. */
  function named(subject: string): string {
    return subject.replaceAll(a.pipeline.pid, '<A>').replaceAll(pid, '<B>');
  }
});

/** The server says that it is not permitted; any other failure is none. */
async function isRefused(nc: NatsConnection, subject: string): Promise<void> {
  await assert.rejects(nc.request(subject, '', { timeout: 5_000 }), (error) => isViolation(error, 'publish', subject));
}

async function isUnheard(nc: NatsConnection, subject: string): Promise<void> {
  const error = await new Promise<unknown>((resolve) => {
    nc.subscribe(subject, { callback: (failure) => resolve(failure) });
  });
  assert(isViolation(error, 'subscription', subject), String(error));
}

function isViolation(error: unknown, operation: string, subject: string): boolean {
  const { cause } = error instanceof errors.RequestError ? error : { cause: error };
  return cause instanceof errors.PermissionViolationError && cause.operation === operation && cause.subject === subject;
}
