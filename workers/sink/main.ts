/** The sink's process: frames of the edge through the steps into rows. */
import { connectors, type ConnectorEntry } from '../../connectors/registry.ts';
import type { Sink, SinkConnector } from '../../connectors/connector.ts';
import { mr } from '../../model/errors.ts';
import type { SinkStage } from '../../model/plan.ts';
import { systemClock } from '../../stream/clock.ts';
import { runSinkSlot } from '../../stream/sink-slot.ts';
import { resolveConfig } from '../pod/credentials.ts';
import { runPod, type PodPlan, type PodProgram } from '../pod/pod.ts';
import { sinkProgram } from './program.ts';

export type LoadSink = (
  stage: SinkStage,
) => Promise<{ connector: SinkConnector<never>; parse: (config: unknown) => unknown }>;

/** Resolves with the exit code after SIGTERM or SIGINT. */
export function runSink(env: NodeJS.ProcessEnv, load: LoadSink = loadRegistered): Promise<number> {
  return runPod(env, 'sink', (pod) => sink(pod, load));
}

function sink({ config, plan, stage }: PodPlan<'sink'>, load: LoadSink): PodProgram<Sink> {
  const program = sinkProgram(stage);
  return {
    outside: `sink ${stage.sink}`,
    edge: stage.reads,
    async connect(context) {
      const { connector, parse } = await load(stage);
      const resolved = parse(resolveConfig(stage.config, config.credentialsDir, plan.pipeline.namespace));
      // The connector's own schema has just parsed it; the registry cannot say so in types.
      return connector.connect(resolved as never, context);
    },
    work: ({ streams, outside, slot, signals, observer, lagIs }) =>
      runSinkSlot({
        streams,
        plan,
        stage,
        slot,
        program,
        signals,
        observer,
        clock: systemClock,
        random: Math.random,
        openSlot: async () => (await outside.get()).open({ pipelineUid: plan.pipeline.uid, stage: stage.name, slot }),
        onLoop: (loop) => lagIs(() => loop?.backlog),
      }),
  };
}

async function loadRegistered(stage: SinkStage): ReturnType<LoadSink> {
  const entry: ConnectorEntry | undefined = Object.entries<ConnectorEntry>(connectors).find(
    ([name]) => name === stage.connector,
  )?.[1];
  const connector = (await entry?.load())?.sink;
  const schema = entry?.sink;
  if (connector === undefined || schema === undefined) {
    throw mr('MR_SPEC_INVALID', { path: stage.name, problem: `there is no sink connector "${stage.connector}"` });
  }
  return { connector, parse: (config) => schema.parse(config) };
}
