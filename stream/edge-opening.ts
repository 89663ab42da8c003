/**
 * Decides whether a slot may start to read or write an edge, and identifies the incarnation of the edge's stream.
 *
 * E10 A slot that is not registered waits: either it is not registered yet, or it was removed and its pod has not noticed.
 * O1  A slot waits while the stream is missing or is not the one that the lifecycle created: a person must decide.
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
  /** Creation time of its stream. */
  readonly created: string;
  /** State of its stream at the time of the look. */
  readonly lastSequence: number;
}

export interface EdgeOpening {
  readonly streams: JetStreamPort;
  readonly pipeline: Plan['pipeline'];
  readonly edge: string;
  /** Who wants to start, for messages: `sink-warehouse slot 0`. */
  readonly who: string;
  readonly belongs: (registry: Registry) => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onWaiting: (reason: MillraceError | undefined) => void;
}

/** Waits until the edge exists and the slot is registered. Rejects with the signal's reason. */
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
  /** Creation time of the stream that exists; undefined: there is none. */
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
