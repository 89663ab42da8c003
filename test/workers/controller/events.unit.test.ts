import { deepEqual, equal, match } from 'node:assert/strict';
import { pino } from 'pino';
import { Events } from '../../../workers/controller/events.ts';
import { status } from '../../activities/odd-answers.ts';
import { OddServer } from '../../activities/odd-server.ts';

describe('Events of the controller', () => {
  let server: OddServer;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  const pipeline = { namespace: 'shop', name: 'orders', uid: 'uid-1' };
  const content = { type: 'Warning', reason: 'LeftBehind', action: 'takeDown', note: 'A note.' } as const;

  async function emit(): Promise<{ readonly problem: string | undefined; readonly logged: string[] }> {
    const logged: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line) => void logged.push(line) });
    const problem = await new Events({ kube: server.kube, log, now: () => 0 }).emit(pipeline, content, 'k');
    return { problem, logged };
  }

  it('come from the controller', async () => {
    server.oddity = () => null;
    deepEqual(await emit(), { problem: undefined, logged: [] });
    const { reportingController, reportingInstance, regarding } = JSON.parse(server.changes[0]?.body ?? '') as {
      [name: string]: unknown;
    };
    deepEqual([reportingController, reportingInstance], ['millrace.io/controller', 'controller']);
    equal((regarding as { uid: string }).uid, 'uid-1');
  });

  it('EV1: one that cannot be written is in the log, and whoever told knows why', async () => {
    server.oddity = () => status(403, 'Forbidden');
    const { problem, logged } = await emit();
    match(problem ?? '', /Forbidden/);
    equal(logged.length, 1);
    match(logged[0] ?? '', /shop\/orders.*LeftBehind|LeftBehind.*shop\/orders/);
  });
});
