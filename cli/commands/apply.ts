/** `millrace apply FILE`: lint, then server-side apply of every pipeline in the file. */
import { Command, Option } from 'commander';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import type { StoredPipeline } from '../../client/wire.ts';
import { dryRunOf } from '../../crds/dry-run.ts';
import { lintFile } from '../../crds/lint.ts';
import type { DesiredState } from '../../model/plan.ts';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { warnIfBeingDeleted } from '../being-deleted.ts';
import { withCluster, withClusterOptions, type Cluster, type ClusterOptions } from '../cluster.ts';
import { readDocument } from '../document.ts';
import { durationOption } from '../durations.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { lintReport, lintSummary } from '../lint-report.ts';
import { print, say } from '../output.ts';
import { untilSettled, waitFor } from '../wait.ts';

interface Options extends ClusterOptions {
  readonly filename?: string;
  readonly wait: boolean;
  readonly timeout: string;
  readonly dryRun?: 'server';
  readonly forceConflicts: boolean;
}

export function applyCommand(): Command {
  return withClusterOptions(
    new Command('apply')
      .description('Create or change pipelines. Repeating it changes nothing.')
      .argument('[file]', 'YAML or JSON with one or more pipelines; - reads standard input'),
  )
    .option('-f, --filename <file>', 'the same, as kubectl takes it')
    .option('--force-conflicts', 'take over fields that another tool manages, so that the file holds', false)
    .option('--wait', 'show each step and end when the pipeline is ready', false)
    .addOption(durationOption('--timeout <duration>', 'of --wait', '5m'))
    .addOption(
      new Option(
        '--dry-run <where>',
        'server: let Kubernetes check it, store nothing, and say what would change',
      ).choices(['server']),
    )
    .action(async (file: string | undefined, options: Options, command: Command) => {
      const pipelines = await readPipelines(theFile(file, options.filename, command));
      await withCluster(options, async (cluster) => {
        // In sequence: a person reads the lines, and the first failure ends the command.
        for (const pipeline of pipelines) await applyOne(cluster, pipeline, options);
      });
    });
}

function theFile(file: string | undefined, filename: string | undefined, command: Command): string {
  if (file !== undefined && filename !== undefined) command.error(`error: name one file, not ${file} and ${filename}`);
  return file ?? filename ?? command.error("error: missing required argument 'file'");
}

async function applyOne(cluster: Cluster, wanted: PipelineInput, options: Options): Promise<void> {
  const { name, namespace = cluster.namespace } = wanted.metadata;
  const input = { ...wanted, metadata: { ...wanted.metadata, namespace } };
  const before = await cluster.pipelines.find(namespace, name);
  const dryRun = options.dryRun === 'server';
  const stored = await cluster.pipelines.apply(input, { dryRun, force: options.forceConflicts });
  if (dryRun) {
    const { effect, changes } = dryRunOf(before, stored);
    print(`pipeline/${name} ${effect} (server dry run)\n${changes.map((line) => `  ${line}\n`).join('')}`);
    return;
  }
  print(`pipeline/${name} ${effectOf(before, stored)}\n`);
  warnIfBeingDeleted(stored.metadata);
  if (!options.wait) return;
  const { timeout } = options;
  const wantedState = stored.spec.desiredState;
  const judge = untilSettled(stored);
  await waitFor(cluster, { namespace, name, wanted: wantedState, timeout, known: before?.status, judge, say });
  print(`pipeline/${name} ${reached[wantedState]}\n`);
}

/** The state of a settled pipeline, in one word. */
const reached: Readonly<Record<DesiredState, string>> = { Running: 'ready', Paused: 'paused', Stopped: 'stopped' };

function effectOf(before: StoredPipeline | null, stored: StoredPipeline): string {
  if (!before) return 'created';
  return before.metadata.resourceVersion === stored.metadata.resourceVersion ? 'unchanged' : 'configured';
}

/** The pipelines of a file, after lint has found no error in it. */
async function readPipelines(path: string): Promise<PipelineInput[]> {
  const { name, text } = await readDocument(path);
  const file = { name, ...lintFile(text, name) };
  const report = lintReport([file], 'pretty').trimEnd();
  if (file.issues.some((issue) => issue.severity === 'error')) {
    throw new CommandFailed(exitCodes.invalidConfig, `${report}\n${lintSummary([file])}: nothing was applied`);
  }
  if (report !== '') say(report);
  return parseAllDocuments(text).map((document) => linted.parse(document.toJS()));
}

/** Lint has checked it; this only tells the compiler. */
const linted = z.custom<PipelineInput>((value) => typeof value === 'object' && value !== null);
