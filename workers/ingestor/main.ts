/** The ingestor's process: a source's slots into frames of the edge. */
import { connectors, type ConnectorEntry } from '../../connectors/registry.ts';
import type { Source, SourceConnector } from '../../connectors/connector.ts';
import { mr } from '../../model/errors.ts';
import type { IngestorStage } from '../../model/plan.ts';
import { systemClock } from '../../stream/clock.ts';
import { asSourceError } from '../../stream/outside-errors.ts';
import { runIngestSlot } from '../../stream/ingest-slot.ts';
import { readConfig } from '../pod/credentials.ts';
import { runPod, type PodPlan, type PodProgram } from '../pod/pod.ts';

export type LoadSource = (
  stage: IngestorStage,
) => Promise<{ connector: SourceConnector<never>; parse: (config: unknown) => unknown }>;

/** Resolves with the exit code after SIGTERM or SIGINT. */
export function runIngestor(env: NodeJS.ProcessEnv, load: LoadSource = loadRegistered): Promise<number> {
  return runPod(env, 'ingestor', (pod) => ingestor(pod, load));
}

function ingestor({ config, plan, stage, secrets }: PodPlan<'ingestor'>, load: LoadSource): PodProgram<Source> {
  const place = { config: stage.config, where: `source ${stage.source}`, namespace: plan.pipeline.namespace };
  return {
    name: stage.source,
    config: stage.config,
    edge: stage.writes,
    named: (error) => asSourceError(stage.source, error),
    async connect(context) {
      const { connector, parse } = await load(stage);
      const resolved = readConfig({ ...place, directory: config.credentialsDir, secrets, parse });
      // The connector's own schema has just parsed it; the registry cannot say so in types.
      return connector.connect(resolved as never, { ...context, slots: stage.slots });
    },
    work: ({ streams, outside, slot, signals, run, log }) =>
      runIngestSlot({
        streams,
        plan,
        stage,
        slot,
        signals,
        observer: run.observer,
        hide: (text) => secrets.hide(text),
        clock: systemClock,
        random: Math.random,
        openReader: async (position, losses) => (await outside.get()).open(slot, position, losses),
        onReader: (reader) => run.lagIs(() => reader?.lag()),
        onSweepFailure: (error) => log.debug({ err: error }, 'sweep failed'),
      }),
  };
}

async function loadRegistered(stage: IngestorStage): ReturnType<LoadSource> {
  const entry: ConnectorEntry | undefined = Object.entries<ConnectorEntry>(connectors).find(
    ([name]) => name === stage.connector,
  )?.[1];
  const connector = (await entry?.load())?.source;
  const schema = entry?.source;
  if (connector === undefined || schema === undefined) {
    throw mr('MR_SPEC_INVALID', { path: stage.name, problem: `there is no source connector "${stage.connector}"` });
  }
  return { connector, parse: (config) => schema.parse(config) };
}
