/**
 * `npm run bench:fleet [-- --pipelines N] [--seconds S]`: N pipelines applied at once to the local stack.
 *
 * It prints how long it takes until half and all of them are Ready, what CPU each part has used meanwhile, and what
 * the fleet costs afterwards, while each pipeline moves one record a second. A pipeline is two pods, from a generator
 * into a table of its own.
 *
 * --pipelines  default 60
 * --seconds    how long the running fleet is measured; default 60
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { PipelineInput } from '../crds/pipeline.ts';
import { connectKube, type Kube } from '../kubernetes/kube.ts';
import { startStack, type Stack } from '../local/stack.ts';
import { problemOf } from '../model/errors.ts';
import { apiVersion, kind } from '../model/names.ts';
import { cpuMicrosOfTree } from './cpu.ts';
import { machine } from './report.ts';

const { values } = parseArgs({
  options: { pipelines: { type: 'string', default: '60' }, seconds: { type: 'string', default: '60' } },
});
const pipelines = Number(values.pipelines);
const seconds = Number(values.seconds);
const pollMs = 500;
const statusSchema = z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) });

const say = (what: string) => process.stderr.write(`${what}\n`);
const dir = await mkdtemp(join(tmpdir(), 'millrace-fleet-'));
const stack = await startStack({ dataDir: dir, otherPorts: 'free' });
const kube = connectKube(stack.endpoints.kubeconfig);
try {
  const names = Array.from({ length: pipelines }, (_, index) => `fleet-${index}`);
  const before = await cpuOf(stack);
  const began = performance.now();
  const apply = async (name: string) => {
    await kube.apply(pipelineOf(name, stack.endpoints.clickhouseUrl), { fieldManager: 'bench' });
  };
  await Promise.all(names.map(apply));
  say(`${pipelines} pipelines applied after ${secondsSince(began)} s`);
  const readyAt = await untilReady(kube, names, began);
  const ready = await cpuOf(stack);
  await delay(seconds * 1_000);
  const running = await cpuOf(stack);
  const rows = stack.parts.map(({ name }) => {
    const [first = 0, second = 0, third = 0] = [before.get(name), ready.get(name), running.get(name)];
    return `| ${name} | ${((second - first) / 1e6).toFixed(1)} | ${((third - second) / 1e4 / seconds).toFixed(1)} |`;
  });
  const lines = [
    machine(),
    '',
    `${pipelines} pipelines: half are Ready after ${readyAt.half} s, all after ${readyAt.all} s`,
    '',
    '| part | CPU until all were Ready, s | afterwards, % of a core |',
    '|---|---|---|',
    ...rows,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
} finally {
  kube.close();
  await stack.stop();
  await rm(dir, { recursive: true, force: true });
}

/** Prints the progress; a fleet that makes none must be stopped by the person who watches. */
async function untilReady(
  watched: Kube,
  names: readonly string[],
  began: number,
): Promise<{ half: string; all: string }> {
  let half: string | undefined;
  for (let told = -1; ;) {
    await delay(pollMs);
    const ready = await readyOf(watched);
    if (ready === undefined) continue;
    if (ready !== told) say(`${secondsSince(began)} s: ${ready} Ready`);
    told = ready;
    if (ready >= names.length / 2) half ??= secondsSince(began);
    if (ready >= names.length) return { half: half ?? secondsSince(began), all: secondsSince(began) };
  }
}

/** Undefined: the API server does not answer, as may happen on a machine that starts a hundred pods. */
async function readyOf(watched: Kube): Promise<number | undefined> {
  try {
    const { items } = await watched.list(kind, { namespace: 'default' });
    return items.filter((item) => isReady(item['status'])).length;
  } catch (error) {
    say(`the API server does not answer: ${problemOf(error)}`);
    return undefined;
  }
}

/** Also false for a pipeline whose status has not been written yet. */
function isReady(status: unknown): boolean {
  const read = statusSchema.safeParse(status);
  return read.success && read.data.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** By part, in microseconds; that of the node holds its pods. */
async function cpuOf({ parts }: Stack): Promise<Map<string, number>> {
  const used = new Map<string, number>();
  for (const { name, pid } of parts) if (pid !== undefined) used.set(name, await cpuMicrosOfTree(pid));
  return used;
}

function secondsSince(began: number): string {
  return ((performance.now() - began) / 1_000).toFixed(1);
}

function pipelineOf(name: string, clickhouseUrl: string) {
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: 'default' },
    spec: {
      sources: [{ name: 'ticks', generator: { rate: 1, fields: [{ name: 'id', kind: 'Sequence', min: 1 }] } }],
      sinks: [
        {
          name: 'warehouse',
          clickhouse: {
            url: clickhouseUrl,
            table: name.replaceAll('-', '_'),
            createTable: { columns: [{ name: 'id', type: 'UInt64' }], orderBy: ['id'] },
          },
        },
      ],
    },
  } satisfies PipelineInput;
}
