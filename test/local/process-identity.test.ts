import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { identify, isSameProcess, signalProcess } from '../../local/process-identity.ts';

describe('the identity of a process', () => {
  it('stays the same while it lives', async () => {
    deepStrictEqual(await identify(process.pid), await identify(process.pid));
  });

  it('is none when there is no process', async () => {
    strictEqual(await identify(2 ** 22 + 1), undefined);
  });

  it('differs for another start with the same pid, which is not signalled', async () => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    ok(child.pid !== undefined);
    const known = await identify(child.pid);
    notStrictEqual(known, undefined);
    const earlier = { pid: child.pid, startedAt: 'earlier' };
    strictEqual(await isSameProcess(earlier), false);
    strictEqual(await signalProcess(earlier, 'SIGKILL'), false);
    strictEqual(child.exitCode, null);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    ok(known && (await signalProcess(known, 'SIGKILL')));
    await gone;
  });
});
