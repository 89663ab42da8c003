/** `millrace logs NAME`: the logs of a pipeline's pods, for people, each line with the pod that wrote it. */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import type { StoredPipeline } from '../../client/wire.ts';
import { compile } from '../../crds/compile.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import { closest } from '../../model/closest.ts';
import { MillraceError, problemOf } from '../../model/errors.ts';
import { labels } from '../../model/names.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { withCluster, withClusterOptions, type ClusterOptions } from '../cluster.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { readableLine } from '../log-line.ts';
import { pipelineArgument } from '../pipeline-name.ts';
import { print, say } from '../output.ts';
import { workloadNamespaceOf } from '../../kubernetes/pipelines.ts';

interface Options extends ClusterOptions {
  readonly stage?: string;
  readonly follow: boolean;
  readonly tail: number;
  readonly previous: boolean;
  readonly output: 'text' | 'json';
}

export function logsCommand(): Command {
  return withClusterOptions(
    new Command('logs').description("Print the logs of a pipeline's pods.").addArgument(pipelineArgument()),
  )
    .option('--stage <stage>', 'only this stage, such as sink-warehouse')
    .option('-f, --follow', 'go on with new lines, and with new pods', false)
    .addOption(
      new Option('-o, --output <format>', 'text for people, or each line as the pod wrote it')
        .choices(['text', 'json'])
        .default('text'),
    )
    .option('-p, --previous', 'of the container that ran before', false)
    .addOption(new Option('--tail <lines>', 'last lines of each pod').default(200).argParser(wholeNumber))
    .action(async (name: string, options: Options) => {
      await withCluster(options, async ({ kube, pipelines, namespace }) => {
        const pipeline = await pipelines.get(namespace, name);
        const where = workloadNamespaceOf(pipeline);
        const selected = {
          [labels.pipelineUid]: pipeline.metadata.uid ?? '',
          ...(options.stage === undefined ? {} : { [labels.stage]: options.stage }),
        };
        await refuseUnknownStage(kube, pipeline, where, options.stage);
        if (options.follow) await followPods(kube, where, selected, options);
        else await printPods(kube, where, selected, options);
      });
    });
}

/**
 * A stage that was removed from the spec may still drain, so a stage is unknown only if it has no pods and is not in
 * the spec. This request also fails for a user who may not list pods, before any log is followed.
 */
async function refuseUnknownStage(
  kube: Kube,
  pipeline: StoredPipeline,
  namespace: string,
  stage: string | undefined,
): Promise<void> {
  const { items } = await kube.list('Pod', {
    namespace,
    labels: { [labels.pipelineUid]: pipeline.metadata.uid ?? '' },
  });
  const running = items.flatMap(({ metadata }) => metadata.labels?.[labels.stage] ?? []);
  const known = [...new Set([...stagesOf(pipeline), ...running])].sort();
  if (stage === undefined || known.includes(stage)) return;
  const meant = closest(stage, known);
  const hint = meant === undefined ? '' : ` Did you mean "${meant}"?`;
  const name = pipeline.metadata.name;
  throw new CommandFailed(
    exitCodes.notFound,
    `Pipeline "${name}" has no stage "${stage}".${hint} Its stages: ${known.join(', ')}.`,
  );
}

function stagesOf(pipeline: StoredPipeline): readonly string[] {
  const seen = (pipeline.status?.stages ?? []).map(({ name }) => name);
  try {
    return [...seen, ...compile(pipeline).stages.map(({ name }) => name)];
  } catch (error) {
    // The stored spec may be one that was refused: then only the stages in the status exist.
    if (error instanceof MillraceError && error.handling === 'refuse') return seen;
    throw error;
  }
}

type LogOptions = Pick<Options, 'follow' | 'tail' | 'previous' | 'output'> & { readonly since?: Date | undefined };

const reopenMs = 1_000;
const podStatus = z.looseObject({ phase: z.string() });

type Labels = Readonly<Record<string, string>>;

async function printPods(kube: Kube, namespace: string, selected: Labels, options: Options): Promise<void> {
  const { items } = await kube.list('Pod', { namespace, labels: selected });
  if (items.length === 0) say(`There are no pods in namespace ${namespace}.`);
  // In sequence, so that the lines of a pod stay together.
  for (const { metadata } of items)
    await printLog(kube, namespace, metadata.name, options, new AbortController().signal);
}

/** Follows all present and future pods, until Ctrl-C. */
async function followPods(kube: Kube, namespace: string, selected: Labels, options: Options): Promise<void> {
  const { watchObjects } = await import('../../kubernetes/watch.ts');
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  const open = new Set<string>();
  const start = (pod: KubeObject) => {
    const { name } = pod.metadata;
    if (open.has(name) || !isRunning(pod)) return;
    open.add(name);
    void followPod(kube, namespace, name, options, stop.signal)
      .catch((error: unknown) => say(`${name}: no log: ${problemOf(error)}`))
      .finally(() => open.delete(name));
  };
  await watchObjects(kube, {
    kind: 'Pod',
    namespace,
    labels: selected,
    signal: stop.signal,
    onError: (problem) => say(`the Kubernetes API does not answer (${problem}); trying again`),
    onList: (pods) => pods.forEach(start),
    onChange: (change, pod) => (change === 'deleted' ? say(`${pod.metadata.name} is gone`) : start(pod)),
  });
}

/** A log ends with its container; the next container has a new one. */
async function followPod(
  kube: Kube,
  namespace: string,
  pod: string,
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  let since: Date | undefined;
  for (;;) {
    await printLog(kube, namespace, pod, { ...options, since }, signal);
    since = new Date();
    await delay(reopenMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const now = await kube.get('Pod', pod, namespace);
      if (!now || !isRunning(now)) return;
    } catch (error) {
      // The log ended because the API server is down: retry until it is back.
      say(`${pod}: ${problemOf(error)}; trying again`);
    }
  }
}

function isRunning({ status }: KubeObject): boolean {
  const phase = podStatus.safeParse(status);
  return phase.success && phase.data.phase === 'Running';
}

async function printLog(
  kube: Kube,
  namespace: string,
  pod: string,
  { follow, tail, previous, output, since }: LogOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    const response = await kube.transport.open({
      method: 'GET',
      path: `/api/v1/namespaces/${namespace}/pods/${pod}/log`,
      query: {
        follow,
        previous: previous || undefined,
        ...(since === undefined ? { tailLines: tail } : { sinceTime: since.toISOString() }),
      },
      what: `logs of ${pod}`,
      signal,
    });
    const shown = output === 'json' ? (line: string) => line : (line: string) => readableLine(pod, line);
    for await (const line of createInterface({ input: response, crlfDelay: Infinity })) print(`${shown(line)}\n`);
  } catch (error) {
    // A pod without a log (not started yet, or its node is gone) must not hide the logs of the others.
    if (error instanceof KubeError && ['401', '403'].includes(error.failure.situation)) throw error;
    if (!signal.aborted) say(`${pod}: no log: ${problemOf(error)}`);
  }
}

function wholeNumber(value: string): number {
  if (!/^[0-9]{1,9}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}
