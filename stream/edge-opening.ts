/**
 * Whether a slot may begin to read or write an edge, and which life of the edge it is.
 *
 * E10 Who is not registered waits: it is not there yet, or it was removed and this pod is one that has not noticed.
 * O1  A stream that is gone, or that is not the one that the lifecycle made, is waited for: it is a person's to decide.
 */
import { tokenOf } from '../model/decision.ts';
import { mr, type MillraceError } from '../model/errors.ts';
import { commitsEdge, edgeStream, registrySubject } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import type { Clock } from '../model/clock.ts';
import { findStream } from './find-stream.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { News } from './news.ts';
import { readRegistry, type Registry } from './registry.ts';
import { untilAnswered } from './until-answered.ts';

export interface EdgeView {
  readonly registry: Registry;
  /** When its stream was made. */
  readonly created: string;
  /** Of its stream, when it was looked at. */
  readonly lastSequence: number;
}

export interface EdgeOpening {
  readonly streams: JetStreamPort;
  readonly pipeline: Plan['pipeline'];
  readonly edge: string;
  /** `sink-warehouse slot 0`: who wants to begin. */
  readonly who: string;
  readonly belongs: (registry: Registry) => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWaiting: (reason: MillraceError | undefined) => void;
}

/** Waits until the edge is there and the slot belongs to it. Rejects with the signal's reason. */
export async function openEdge(opening: EdgeOpening, signal: AbortSignal): Promise<EdgeView> {
  const { streams, pipeline, edge, clock, onWaiting } = opening;
  const news = new News(streams, registrySubject(pipeline.pid, edge), clock);
  try {
    for (;;) {
      const seen = await untilAnswered(edgeStream(pipeline.pid, commitsEdge), () => look(opening), opening, signal);
      if ('registry' in seen) {
        onWaiting(undefined);
        return seen;
      }
      onWaiting(seen.missing);
      await news.wait(signal);
    }
  } finally {
    news.close();
  }
}

async function look(opening: EdgeOpening): Promise<EdgeView | { readonly missing: MillraceError }> {
  const { streams, pipeline, edge, who, belongs } = opening;
  const registry = await readRegistry(streams, pipeline.pid, edge);
  if (registry === undefined || !belongs(registry)) return { missing: mr('MR_NOT_REGISTERED', { who, edge }) };
  const stream = edgeStream(pipeline.pid, edge);
  const info = await findStream(streams, stream);
  if (info?.created === registry.created) {
    return { registry, created: info.created, lastSequence: info.state.last_seq };
  }
  return { missing: edgeLost({ pipeline, edge, registered: registry.created, found: info?.created }) };
}

export function edgeLost({
  pipeline,
  edge,
  registered,
  found,
}: {
  readonly pipeline: Pick<Plan['pipeline'], 'name' | 'namespace' | 'pid'>;
  readonly edge: string;
  readonly registered: string;
  /** When the stream that is there was made; undefined: there is none. */
  readonly found: string | undefined;
}): MillraceError {
  return mr('MR_EDGE_LOST', {
    stream: edgeStream(pipeline.pid, edge),
    created: registered,
    found: found === undefined ? 'it is gone' : `the one that is there was made at ${found}`,
    pipeline: pipelineText(pipeline),
    token: tokenOf({ scope: edge, number: 'lost' }),
  });
}

/** As the command takes it. */
export function pipelineText({ name, namespace }: Pick<Plan['pipeline'], 'name' | 'namespace'>): string {
  return `${name} -n ${namespace}`;
}
