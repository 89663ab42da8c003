import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { pino } from 'pino';
import { namespaceOf, pidOf } from '../../../model/names.ts';
import { startProcess, type RunningProcess } from '../../../local/process.ts';
import { parseLifecycleConfig } from '../../../workers/lifecycle/config.ts';
import { serveLifecycle } from '../../../workers/lifecycle/main.ts';
import { eventually } from '../../support/eventually.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { Person } from './person.ts';

describe('a lifecycle worker that dies, on a real control plane', function () {
  let plane: ControlPlane;
  let person: Person;
  before(async () => {
    plane = await startControlPlane();
    person = new Person(plane);
    await person.putSecret('ch', { password: 'x' });
    await plane.lifecycle.stop();
  });
  after(() => plane.stop());

  /** Made, changed and taken down; in between and afterwards the cluster is what it must be. */
  async function wholeLife(name: string): Promise<void> {
    const { uid = '' } = (await person.apply(name)).metadata;
    const namespace = namespaceOf(pidOf(name, uid));
    await person.untilReady(name, 'Running');
    assert.equal((await person.podsOf(uid, namespace)).length, 2);
    await person.apply(name, { steps: [{ name: 'some', filter: { where: 'record.id > 10' } }] });
    await person.untilReady(name, 'Running');
    await eventually(async () => assert.equal((await person.podsOf(uid, namespace)).length, 2));
    await person.untilOperations(name, uid, ['provision', 'reconfigure']);
    assert.equal(await person.openEntities(name), 1);
    await person.delete(name);
    assert.deepEqual(await person.leftovers(uid), []);
    assert.deepEqual(await person.streamsOf(pidOf(name, uid)), []);
    await eventually(async () => assert.equal(await person.openEntities(name), 0));
  }

  it('every activity may be cut short before its effect and after it, and is done again', async () => {
    const cut = new Set<string>();
    const stop = new AbortController();
    const config = parseLifecycleConfig({ ...plane.env });
    const serving = serveLifecycle(config, pino({ level: 'silent' }), stop.signal, [cuttingEach(cut)]);
    await wholeLife('cut');
    stop.abort();
    await serving.catch(() => undefined);
    assert.ok(cut.size >= 19, [...cut].join(', '));
  });

  it('a worker that is killed between an effect and its answer is replaced, and the next one goes on', async () => {
    const at = ['copyCredentials', 'waitStage', 'deleteNamespace', 'removeFinalizer'];
    const deaths = join(plane.dir, 'deaths');
    await writeFile(deaths, '');
    const stop = new AbortController();
    const supervised = supervise({ MORTAL_AT: at.join(','), MORTAL_DIR: plane.dir }, stop.signal);
    await wholeLife('killed');
    stop.abort();
    await supervised;
    assert.deepEqual((await readFile(deaths, 'utf8')).trim().split('\n').sort(), at.toSorted());
  });

  /** Starts the worker again whenever it has died. */
  async function supervise(env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const worker: RunningProcess = await startProcess({
        name: 'lifecycle',
        command: process.execPath,
        args: [fileURLToPath(new URL('./mortal.ts', import.meta.url))],
        env: { ...plane.env, ...env },
        logFile: join(plane.dir, 'mortal.log'),
      });
      const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await Promise.race([worker.exited, stopped]);
      await worker.stop();
    }
  }
});

/** The first attempt of each activity fails before its effect, the second after it. `cut` gets the names. */
function cuttingEach(cut: Set<string>): ActivityInterceptorsFactory {
  const lost = () => ApplicationFailure.create({ type: 'Lost', message: 'lost', nextRetryDelay: '10ms' });
  return ({ info }) => ({
    inbound: {
      async execute(input, next) {
        cut.add(info.activityType);
        if (info.attempt === 1) throw lost();
        const result = await next(input);
        if (info.attempt === 2) throw lost();
        return result;
      },
    },
  });
}
