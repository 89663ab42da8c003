/** The sink's process: frames of the edge through the steps into rows. */
import { connectors, type ConnectorEntry } from '../../connectors/registry.ts';
import type { Sink, SinkConnector } from '../../connectors/connector.ts';
import { mr } from '../../model/errors.ts';
import type { SinkStage } from '../../model/plan.ts';
import { systemClock } from '../../stream/clock.ts';
import { asSinkError } from '../../stream/outside-errors.ts';
import { runSinkSlot } from '../../stream/sink-slot.ts';
import { readConfig } from '../pod/credentials.ts';
import { listening } from './listening.ts';
import { runPod, type PodPlan, type PodProgram } from '../pod/pod.ts';
import { sinkProgram } from './program.ts';

export type LoadSink = (
  stage: SinkStage,
) => Promise<{ connector: SinkConnector<never>; parse: (config: unknown) => unknown }>;

/** Resolves with the exit code after SIGTERM or SIGINT. */
export function runSink(env: NodeJS.ProcessEnv, load: LoadSink = loadRegistered): Promise<number> {
  return runPod(env, 'sink', (pod) => sink(pod, load));
}

function sink({ config, plan, stage, secrets }: PodPlan<'sink'>, load: LoadSink): PodProgram<Sink> {
  const place = { config: stage.config, where: `sink ${stage.sink}`, namespace: plan.pipeline.namespace };
  return {
    name: stage.sink,
    config: stage.config,
    edge: stage.reads,
    named: (error) => asSinkError(stage.sink, error),
    async connect(context) {
      const { connector, parse } = await load(stage);
      const resolved = readConfig({ ...place, directory: config.credentialsDir, secrets, parse });
      // The connector's own schema has just parsed it; the registry cannot say so in types.
      return connector.connect(resolved as never, { ...context, slots: stage.slots });
    },
    work: ({ streams, outside, slot, signals, run }) =>
      runSinkSlot({
        streams,
        plan,
        stage,
        slot,
        programOf: sinkProgram,
        signals,
        observer: run.observer,
        hide: (text) => secrets.hide(text),
        clock: systemClock,
        random: Math.random,
        openSlot: async () => {
          const sink = await outside.get();
          const opened = await sink.open({ pipelineUid: plan.pipeline.uid, stage: stage.name, slot });
          return listening(opened, run, (text) => secrets.hide(text));
        },
        onLoop: (loop) => run.lagIs(() => loop?.backlog),
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
