/** `millrace describe NAME`: what the pipeline is, what it does, and what is wrong. */
import { Command } from 'commander';
import { z } from 'zod';
import type { StoredPipeline } from '../../client/wire.ts';
import { withCluster, withClusterOptions, type Cluster, type ClusterOptions } from '../cluster.ts';
import { description, type EventLine } from '../description.ts';
import { pipelineArgument } from '../pipeline-name.ts';
import { print, say } from '../output.ts';
import { problemOf } from '../../model/errors.ts';
import { ask } from '../../kubernetes/ask.ts';

const shownEvents = 15;

export function describeCommand(): Command {
  return withClusterOptions(
    new Command('describe')
      .description('Say what a pipeline does, or why it does not: conditions, operation, stages, events.')
      .addArgument(pipelineArgument()),
  ).action(async (name: string, options: ClusterOptions) => {
    await withCluster(options, async (cluster) => {
      const pipeline = await cluster.pipelines.get(cluster.namespace, name);
      print(description(pipeline, await eventsOf(cluster, pipeline), Date.now()));
    });
  });
}

const eventSchema = z.object({
  type: z.string().default('Normal'),
  reason: z.string().default(''),
  message: z.string().default(''),
  count: z.number().nullish(),
  series: z.object({ count: z.number(), lastObservedTime: z.string().optional() }).nullish(),
  eventTime: z.string().nullish(),
  lastTimestamp: z.string().nullish(),
});

const eventList = z.object({ kind: z.string(), items: z.array(eventSchema) });

/** From the core API, which can select events by their object. Null: they could not be read. */
async function eventsOf({ kube }: Cluster, { metadata }: StoredPipeline): Promise<EventLine[] | null> {
  try {
    const request = {
      method: 'GET',
      path: `/api/v1/namespaces/${metadata.namespace ?? 'default'}/events`,
      query: { fieldSelector: `involvedObject.uid=${metadata.uid ?? ''}` },
      what: 'list events',
    } as const;
    const { items } = await ask(kube.transport, request, eventList, ({ kind }) => kind === 'EventList');
    return items
      .map(({ type, reason, message, count, series, eventTime, lastTimestamp }) => ({
        type,
        reason,
        message,
        count: series?.count ?? count ?? 1,
        at: series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? null,
      }))
      .sort((a, b) => (a.at ?? '').localeCompare(b.at ?? ''))
      .slice(-shownEvents);
  } catch (error) {
    // The description is useful without events, but must say that they are missing.
    say(`events cannot be read: ${problemOf(error)}`);
    return null;
  }
}
