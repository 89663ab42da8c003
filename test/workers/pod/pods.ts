/** Worker pods as host processes. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plan } from '../../../model/plan.ts';
import { freePort } from '../../../local/ports.ts';
import { startProcess, type RunningProcess } from '../../../local/process.ts';
import { testPlan, type TestPlanOptions } from '../../stream/support/server.ts';

export interface PodBench {
  readonly dir: string;
  readonly plan: Plan;
  readonly rows: string;
  readonly credentials: string;
  start(kind: 'ingestor' | 'sink', name: string, options?: { readonly waitUntilReady?: boolean }): Promise<TestPod>;
  stop(): Promise<void>;
}

export interface TestPod extends RunningProcess {
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
  log(): Promise<string>;
}

export interface BenchOptions extends TestPlanOptions {
  readonly perSlot?: number;
  readonly password?: string;
}

const program = fileURLToPath(new URL('./process.ts', import.meta.url));

export async function podBench(natsUrl: string, options: BenchOptions = {}): Promise<PodBench> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-pods-'));
  const rows = join(dir, 'rows');
  await mkdir(rows);
  const base = testPlan({ frame: { maxRecords: 200, maxBytes: 64 * 1024, lingerMs: 5 }, ...options });
  const config = {
    perSlot: options.perSlot ?? 5_000,
    directory: rows,
    ...(options.password === undefined ? {} : { password: options.password }),
  };
  const plan: Plan = { ...base, stages: base.stages.map((stage) => ({ ...stage, config })) };
  const planFile = join(dir, 'plan.json');
  const credentials = join(dir, 'credentials');
  await writeFile(planFile, JSON.stringify(plan));
  const pods: TestPod[] = [];
  let starts = 0;
  return {
    dir,
    plan,
    rows,
    credentials,
    async start(kind, name, { waitUntilReady = true } = {}) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const logFile = join(dir, `${name}-${starts++}.log`);
      const running = await startProcess({
        name,
        command: process.execPath,
        args: [program, kind],
        env: {
          MILLRACE_STAGE: kind === 'ingestor' ? 'ingestor-orders' : 'sink-warehouse',
          MILLRACE_PLAN_FILE: planFile,
          MILLRACE_CREDENTIALS_DIR: credentials,
          MILLRACE_NATS_URL: natsUrl,
          MILLRACE_POD_NAME: name,
          MILLRACE_POD_IP: '127.0.0.1',
          MILLRACE_HTTP_PORT: String(port),
        },
        logFile,
        ready: async () => (await fetch(`${url}/health/${waitUntilReady ? 'ready' : 'alive'}`)).ok,
      });
      const pod: TestPod = {
        ...running,
        async get(path) {
          const response = await fetch(url + path);
          return { status: response.status, body: await response.text() };
        },
        log: () => readFile(logFile, 'utf8'),
      };
      pods.push(pod);
      return pod;
    },
    async stop() {
      for (const pod of pods) {
        pod.kill('SIGCONT');
        pod.kill('SIGKILL');
        await pod.exited;
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
