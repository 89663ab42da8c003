import { deepStrictEqual, notStrictEqual, strictEqual } from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requestApi, type ApiAccess } from '../../local/parts/kubernetes/request.ts';
import { ensurePki } from '../../local/parts/kubernetes/pki.ts';
import { identify, type ProcessIdentity } from '../../local/process-identity.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { eventually } from '../support/eventually.ts';

describe('pods and the local stack', function () {
  let dataDir: string;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'millrace-stack-pods-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const start = (): Promise<Stack> =>
    startStack({ dataDir, only: ['node', 'kube-scheduler'], otherPorts: 'free', unsafeNoFsync: true });

  async function runPod(stack: Stack): Promise<ProcessIdentity> {
    const pki = await ensurePki(join(dataDir, 'kubernetes', 'pki'), new Date());
    const access: ApiAccess = { url: stack.endpoints.kubernetesUrl, ca: pki.ca, user: pki.admin };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'sleeper' },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'millrace/millrace:dev',
            command: ['/bin/sh', '-c', `echo $$$$ > ${join(dataDir, 'pod.pid')}; exec sleep 600`],
          },
        ],
      },
    };
    const answer = await requestApi(access, 'PATCH', '/api/v1/namespaces/default/pods/sleeper?fieldManager=test', {
      type: 'application/apply-patch+yaml',
      text: JSON.stringify(pod),
    });
    strictEqual(answer.status, 201, answer.body);
    return podProcess();
  }

  /** Its process, once it runs. */
  const podProcess = (other?: ProcessIdentity): Promise<ProcessIdentity> =>
    eventually(async () => {
      const found = await identify(Number(await readFile(join(dataDir, 'pod.pid'), 'utf8')));
      if (!found || found.pid === other?.pid) throw new Error('the pod does not run yet');
      return found;
    });

  it("T3: stop ends the pods' processes, and the next start runs the pods again", async () => {
    const first = await start();
    const before = await runPod(first);
    await first.stop();
    strictEqual(await identify(before.pid), undefined);
    await using _second = await start();
    notStrictEqual((await podProcess(before)).pid, before.pid);
  });

  it("T3: stop ends the pods' processes when the node has just been killed", async () => {
    const stack = await start();
    const pod = await runPod(stack);
    stack.part('node').kill('SIGKILL');
    await stack.stop();
    strictEqual(await identify(pod.pid), undefined);
  });

  it('S1: a killed node comes back and its pods go on in the same process', async () => {
    await using stack = await start();
    const pod = await runPod(stack);
    const node = stack.part('node');
    const before = node.pid;
    node.kill('SIGKILL');
    await eventually(() => node.pid !== before && node.record.state === 'running');
    deepStrictEqual(await identify(pod.pid), pod);
  });
});
