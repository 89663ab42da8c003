/** `millrace get [NAME]`: a table, or the resources themselves. */
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { StoredPipeline } from '../../client/wire.ts';
import { withCluster, withClusterOptions, type Cluster, type ClusterOptions } from '../cluster.ts';
import { columns } from '../columns.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { follow } from '../follow.ts';
import { print, say } from '../output.ts';
import { pipelineArgument } from '../pipeline-name.ts';
import { header, pipelineTable, row } from '../table.ts';

type Format = 'table' | 'wide' | 'json' | 'yaml' | 'name';

interface Options extends ClusterOptions {
  readonly allNamespaces: boolean;
  readonly selector?: string;
  readonly output: Format;
  readonly watch: boolean;
}

export function getCommand(): Command {
  return withClusterOptions(
    new Command('get').description('List pipelines, or print one.').addArgument(pipelineArgument('[name]')),
  )
    .option('-A, --all-namespaces', 'of all namespaces', false)
    .option('-l, --selector <labels>', 'only those with these labels, such as team=shop')
    .addOption(new Option('-o, --output <format>').choices(['table', 'wide', 'json', 'yaml', 'name']).default('table'))
    .option('-w, --watch', 'go on with every change', false)
    .action(async (name: string | undefined, options: Options) => {
      if (name !== undefined && options.allNamespaces) {
        throw new CommandFailed(exitCodes.usage, 'A name and --all-namespaces do not go together.');
      }
      await withCluster(options, (cluster) =>
        options.watch ? watch(cluster, name ?? null, options) : once(cluster, name, options),
      );
    });
}

async function once(cluster: Cluster, name: string | undefined, options: Options): Promise<void> {
  if (name !== undefined) {
    const pipeline = await cluster.pipelines.get(cluster.namespace, name);
    print(one(pipeline, options) ?? tableOf([pipeline], options));
    return;
  }
  const found = await all(cluster, options);
  if (options.output === 'json') {
    print(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: found }, undefined, 2)}\n`);
  } else if (options.output === 'table' || options.output === 'wide') {
    if (found.length === 0)
      say(`No pipelines in ${options.allNamespaces ? 'any namespace' : `namespace ${cluster.namespace}`}.`);
    else print(tableOf(found, options));
  } else {
    print(found.map((pipeline) => one(pipeline, options) ?? '').join(options.output === 'yaml' ? '---\n' : ''));
  }
}

async function all({ pipelines, namespace }: Cluster, options: Options): Promise<StoredPipeline[]> {
  const items: StoredPipeline[] = [];
  let next: string | undefined;
  do {
    const page = await pipelines.list({
      namespace: options.allNamespaces ? null : namespace,
      limit: 500,
      labelSelector: options.selector,
      continue: next,
    });
    items.push(...page.items);
    next = page.continue;
  } while (next !== undefined);
  return items;
}

/** The resource as text; null: the output is a table. */
function one(pipeline: StoredPipeline, { output }: Options): string | null {
  switch (output) {
    case 'json':
      return `${JSON.stringify(pipeline, undefined, 2)}\n`;
    case 'yaml':
      return stringify(pipeline, { lineWidth: 0 });
    case 'name':
      return `pipeline/${pipeline.metadata.name}\n`;
    case 'table':
    case 'wide':
      return null;
  }
}

function tableOf(pipelines: readonly StoredPipeline[], options: Options): string {
  return pipelineTable(pipelines, tableOptions(options), Date.now());
}

function tableOptions({ output, allNamespaces }: Options) {
  return { wide: output === 'wide', allNamespaces };
}

/** Prints a line for each change, until Ctrl-C. Cells are padded to usual widths, as later rows are not known. */
async function watch({ kube, namespace }: Cluster, name: string | null, options: Options): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  const at = { namespace: options.allNamespaces ? null : namespace, name };
  const head = header(tableOptions(options));
  const isTable = options.output === 'table' || options.output === 'wide';
  if (isTable) print(padded(head));
  const onError = (problem: string) => say(`the Kubernetes API does not answer (${problem}); trying again`);
  let last = '';
  for await (const look of follow(kube, { ...at, signal: stop.signal, onError })) {
    if (look.is === 'gone') {
      say(`pipeline/${look.name} is gone`);
      continue;
    }
    const text = isTable ? padded(row(look.pipeline, tableOptions(options), Date.now())) : one(look.pipeline, options);
    if (text !== null && text !== last) print(text);
    last = text ?? last;
  }
}

const usualWidth = 16;

function padded(cells: readonly string[]): string {
  return columns(
    cells.map((cell) => cell.padEnd(usualWidth)),
    [],
  );
}
