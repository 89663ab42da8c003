import { deepEqual, match, ok, rejects } from 'node:assert/strict';
import { mock } from 'node:test';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { boundToAttempt, streamsOfAttempt } from '../../activities/attempt.ts';
import { beating } from '../../activities/beat.ts';
import { createKube } from '../../kubernetes/kube.ts';
import { OddServer } from './odd-server.ts';
import { recordingStreams } from './recording-streams.ts';
import { attemptOf } from './run-activity.ts';

const pipeline = { namespace: 'shop', name: 'orders', uid: 'u-1', cluster: 'c-1' };

describe('the requests of an activity', () => {
  let server: OddServer;

  beforeEach(async () => (server = await OddServer.start()));
  afterEach(() => server.stop());

  for (const [what, reason] of [
    ['is cancelled', 'CANCELLED'],
    ['has had its time', 'TIMED_OUT'],
  ] as const) {
    it(`A1: one that hangs is cut when the attempt ${what}`, async () => {
      const [asked, cut] = [Promise.withResolvers<undefined>(), Promise.withResolvers<unknown>()];
      server.oddity = () => (asked.resolve(undefined), 'hang');
      const { transport } = server.kube;
      const send: typeof transport.send = (request) =>
        transport.send(request).catch((error: unknown) => {
          cut.resolve(error);
          throw error;
        });
      const { environment, run } = attemptOf(createKube({ ...transport, send }), pipeline, 'listStages', 'provision');
      const running = run();
      await asked.promise;
      environment.cancel(reason);
      const error = await cut.promise;
      ok(error instanceof Error && error.cause instanceof Error);
      // By the attempt, and not by the request's own time-out.
      ok(error.cause.cause instanceof CancelledFailure, String(error.cause.cause));
      match(error.cause.cause.message, new RegExp(reason));
      ok((await running) instanceof CancelledFailure);
    });
  }

  describe('A2: when the process has stood still for longer than a heartbeat may be late', () => {
    const metadata = { namespace: 'shop', name: 'orders' };
    const frozen = /stood still for 6000 ms: this attempt is given up/;

    beforeEach(() => mock.timers.enable({ apis: ['Date', 'setInterval'] }));
    afterEach(() => mock.timers.reset());

    /** Runs it as an attempt whose process stands still for six seconds as soon as it has begun. */
    const afterwards = (act: () => Promise<unknown>) =>
      new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(() =>
        beating(() => {
          mock.timers.setTime(6_000);
          return act();
        }),
      );

    it('nothing is asked of Kubernetes', async () => {
      const kube = boundToAttempt(server.kube);
      server.put('ConfigMap', metadata);
      await rejects(
        afterwards(() => kube.delete('ConfigMap', 'orders', 'shop')),
        frozen,
      );
      deepEqual(server.changes, []);
    });

    it('nothing is changed in JetStream', async () => {
      const changes: string[] = [];
      await rejects(
        afterwards(() =>
          streamsOfAttempt(recordingStreams({ pid: 'orders-abc', uid: 'u-1' }, changes)).deleteStream(
            'mr-orders-abc-main',
          ),
        ),
        frozen,
      );
      deepEqual(changes, []);
    });

    it('what has beaten meanwhile goes on', async () => {
      const kube = boundToAttempt(server.kube);
      server.put('ConfigMap', metadata);
      await afterwards(() => {
        mock.timers.tick(1_000);
        return kube.delete('ConfigMap', 'orders', 'shop');
      });
      deepEqual(
        server.changes.map(({ verb, name }) => `${verb} ${name}`),
        ['DELETE orders'],
      );
    });
  });
});
