/**
 * `npm start [-- --once] [--with PARTS] [--data-dir DIR]`: the local stack and the first pipeline, until rows are in
 * ClickHouse.
 *
 * It keeps running and prints where to look. When a stack is already running in that directory, it uses that one and
 * ends. With `--once` it works on a pipeline of its own, verifies its rows, takes it down, ends the stack, and exits
 * with 0.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { extraParts } from '../cli/extra-parts.ts';
import { untilInterrupted, type Interrupt } from '../cli/interrupt.ts';
import { howToTalk, partsTable } from '../cli/stack-summary.ts';
import { MillraceError, problemOf } from '../model/errors.ts';
import { ensurePki } from '../local/parts/kubernetes/pki.ts';
import type { ApiAccess } from '../local/parts/kubernetes/request.ts';
import { progressTo } from '../local/progress.ts';
import { startStack, type Stack, type StackEndpoints } from '../local/stack.ts';
import { statusOfStack } from '../local/stack/control.ts';
import { layoutOf } from '../local/stack/layout.ts';
import { applyExample, deleteExample, followExample, leftOf, readExample, type Example } from './example.ts';
import { complaints, query, summarise, type RowSummary } from './rows.ts';

const enoughRows = 1_000;
/** Each step is shown when it starts, so that a person sees what it waits for; a busy machine may need minutes. */
const rowsTimeoutMs = 900_000;
const goneTimeoutMs = 900_000;

const { values: options } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    with: { type: 'string', multiple: true, default: [] },
    // As `millrace dev` takes it.
    'data-dir': { type: 'string', default: process.env['MILLRACE_DATA_DIR'] ?? '.millrace' },
  },
});
const dataDir = resolve(options['data-dir']);
const progress = progressTo(process.stderr);
const startedAt = Date.now();
using interrupt = untilInterrupted();

try {
  const running = await stackHere(interrupt);
  await using stack = running.stack;
  const access = await accessTo(running.endpoints);
  if (options.once) await once(access, running.endpoints, interrupt);
  else await stay(access, running.endpoints, stack, interrupt);
} catch (error) {
  const wasAsked = interrupt.signal.aborted;
  process.stderr.write(wasAsked ? '\nInterrupted.\n' : `\n${textOf(error)}\n`);
  process.exitCode = wasAsked ? 130 : 1;
}

async function stackHere({
  signal,
}: Interrupt): Promise<{ readonly stack?: Stack; readonly endpoints: StackEndpoints }> {
  try {
    const stack = await startStack({ dataDir, with: options.with.flatMap(extraParts), progress, signal });
    progress.say(`\nThe stack is ready (${seconds()} s)\n`);
    return { stack, endpoints: stack.endpoints };
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === 'MR_STACK_RUNNING')) throw error;
    const { endpoints, ready } = await statusOfStack(dataDir);
    if (!ready) throw error;
    progress.say('A stack runs here already; using it.');
    return { endpoints };
  }
}

async function stay(
  access: ApiAccess,
  endpoints: StackEndpoints,
  stack: Stack | undefined,
  { signal, happened }: Interrupt,
): Promise<void> {
  const example: Example = { name: 'orders', table: 'orders', clickhouseUrl: endpoints.clickhouseUrl };
  try {
    await applyExample(access, example);
    progress.say('Applied examples/first-pipeline.yaml; pipeline orders:');
    const { rows } = await untilRows(access, example, signal);
    progress.say(`\n${rows} rows are in ClickHouse (${seconds()} s). Some of them:\n`);
    process.stdout.write(
      await query(endpoints.clickhouseUrl, `SELECT * FROM ${example.table} LIMIT 5 FORMAT PrettyCompactNoEscapes`),
    );
  } catch (error) {
    if (signal.aborted || !stack) throw error;
    // What went wrong can be looked at while the stack is up.
    progress.say(`\n${textOf(error)}`);
  }
  if (stack) process.stdout.write(`\n${partsTable(stack.parts.map((part) => part.record))}`);
  process.stdout.write(`\n${howToTalk(endpoints)}\n`);
  if (!stack) return;
  progress.say('Ctrl-C ends it and keeps its data.');
  await happened;
  progress.say('\nStopping …');
}

async function once(access: ApiAccess, endpoints: StackEndpoints, { signal }: Interrupt): Promise<void> {
  const example: Example = { name: 'orders-once', table: 'orders_once', clickhouseUrl: endpoints.clickhouseUrl };
  await takeDown(access, example, signal);
  await query(endpoints.clickhouseUrl, `DROP TABLE IF EXISTS ${example.table}`);
  await applyExample(access, example);
  progress.say(`Applied examples/first-pipeline.yaml as pipeline ${example.name}:`);
  const arrived = await untilRows(access, example, signal);
  progress.say(`${arrived.rows} rows are in ClickHouse (${seconds()} s); taking the pipeline down`);
  const uid = (await readExample(access, example.name))?.metadata.uid;
  await takeDown(access, example, signal);
  const left = uid === undefined ? [] : await leftOf(access, uid);
  if (left.length > 0) throw new Error(`teardown left ${left.join(', ')}`);
  const final = await summarise(endpoints.clickhouseUrl, example.table);
  const wrong = final ? complaints(final) : ['the table is gone'];
  if (wrong.length > 0) throw new Error(`the rows are not what they should be: ${wrong.join('; ')}`);
  progress.say(
    `${final?.rows ?? 0} rows, each once, filtered and mapped; nothing of the pipeline is left (${seconds()} s)`,
  );
  await query(endpoints.clickhouseUrl, `DROP TABLE IF EXISTS ${example.table}`);
}

async function untilRows(access: ApiAccess, example: Example, signal: AbortSignal): Promise<RowSummary> {
  // Rows of an earlier run must not count for this one.
  const before = (await summarise(example.clickhouseUrl, example.table))?.rows ?? 0;
  let found: RowSummary | undefined;
  await follow(access, example, signal, rowsTimeoutMs, 'new rows in ClickHouse', async () => {
    found = await summarise(example.clickhouseUrl, example.table);
    return found !== undefined && found.rows >= enoughRows && found.rows > before;
  });
  if (!found) throw new TypeError('rows were found');
  return found;
}

async function takeDown(access: ApiAccess, example: Example, signal: AbortSignal): Promise<void> {
  const since = (await readExample(access, example.name))?.status;
  if (!(await deleteExample(access, example.name))) return;
  const isGone = (pipeline: unknown) => pipeline === undefined;
  await follow(access, example, signal, goneTimeoutMs, 'the pipeline to be gone', isGone, since);
}

type Follow = Parameters<typeof followExample>[2];

async function follow(
  access: ApiAccess,
  { name }: Example,
  signal: AbortSignal,
  timeoutMs: number,
  what: string,
  until: Follow['until'],
  since?: Follow['since'],
): Promise<void> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const both = AbortSignal.any([signal, timeout]);
    await followExample(access, name, { until, say: progress.say, signal: both, ...(since ? { since } : {}) });
  } catch (error) {
    if (!timeout.aborted) throw error;
    const conditions = (await readExample(access, name))?.status?.conditions ?? [];
    const why = conditions.map(({ type, status, message }) => `\n  ${type} is ${status}: ${message}`).join('');
    const logs = layoutOf(dataDir).logs;
    throw new Error(`Waited ${timeoutMs / 1_000} s for ${what}. Logs are in ${logs}.${why}`, { cause: error });
  }
}

async function accessTo(endpoints: StackEndpoints): Promise<ApiAccess> {
  const pki = await ensurePki(join(layoutOf(dataDir).of('kubernetes'), 'pki'), new Date());
  return { url: endpoints.kubernetesUrl, ca: pki.ca, user: pki.admin };
}

function textOf(error: unknown): string {
  return error instanceof MillraceError ? `${error.message}\n${error.fix}`.trim() : problemOf(error);
}

function seconds(): string {
  return ((Date.now() - startedAt) / 1_000).toFixed(1);
}
