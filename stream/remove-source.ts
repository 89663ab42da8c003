/**
 * Removes a source from an edge: the end of L1 of `./retire.ts`. What is recorded first (where it stood, and up to which
 * sequence it wrote) is what readers and a repeated attempt go by once its frames are gone.
 */
import { mr } from '../model/errors.ts';
import { edgeStream, ingestorName, slotTokens } from '../model/names.ts';
import type { Edge, Plan } from '../model/plan.ts';
import type { Act } from './act.ts';
import { tailsOf, type WriterTail } from './announce.ts';
import { forgetQuestions } from './decisions.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { haveEnded } from './last-frames.ts';
import { continued, keptOf, type Kept, type LastOfSlot } from './kept-position.ts';
import { storedPlans } from './plan-store.ts';
import { changeRegistry, type Registry } from './registry.ts';
import { connectorOf } from './returning-source.ts';
import { writersOfSource } from './writer-place.ts';
import { lostBehind } from './writer-tail.ts';

export async function removeSource(
  act: Act,
  plan: Plan,
  edge: Edge,
  registry: Registry,
  { source, isGivenUp }: { readonly source: string; readonly isGivenUp: boolean },
): Promise<void> {
  const { streams, opSeq } = act;
  const at = { pid: plan.pipeline.pid, edge: edge.name, opSeq };
  const places = writersOfSource(plan, edge, source, registry.sources[source]?.slots ?? 0);
  const { ends } = registry.sources[source] ?? {};
  const isToEnd = !isGivenUp && ends !== undefined;
  // What was given up by Immediate has no last frame, and a pod on a lost node may append at any moment. It cannot any
  // more once it finds no frame: so they are emptied until they are empty, and each frame is recorded before.
  let tails = await tailsOf(streams, places);
  do {
    if (isToEnd && !haveEnded(tails, ends)) throw mr('MR_SOURCE_WROTE_AGAIN', { source, edge: edge.name });
    await recordLast(act, plan, edge, registry, { source, tails });
    for (const { stream, subject, sequence } of tails) {
      if (sequence > 0) await streams.purgeStream(stream, { filter: subject, seq: sequence + 1 });
    }
    tails = await tailsOf(streams, places);
  } while (tails.some(({ sequence }) => sequence > 0));
  for (const { writer } of places) await forgetQuestions(streams, at.pid, writer);
  await forgetQuestions(streams, at.pid, slotTokens(ingestorName(source), '*'));
  await changeRegistry(streams, at, (now = registry) => {
    const { [source]: _, ...sources } = now.sources;
    return { ...now, sources };
  });
}

/** Before the frames are removed: afterwards, readers and a repeated attempt find an empty subject. */
async function recordLast(
  { streams, opSeq }: Act,
  plan: Plan,
  edge: Edge,
  registry: Registry,
  { source, tails }: { readonly source: string; readonly tails: readonly WriterTail[] },
): Promise<void> {
  const kept = await keptIn(streams, plan, edge, { source, tails });
  const isEmpty = (slot: number) => tails[slot]?.sequence === 0;
  await changeRegistry(streams, { pid: plan.pipeline.pid, edge: edge.name, opSeq }, (now = registry) => ({
    ...now,
    gone: { ...now.gone, [source]: Math.max(now.gone[source] ?? 0, ...tails.map(({ sequence }) => sequence)) },
    kept:
      now.sources[source] === undefined || kept === undefined
        ? now.kept
        : { ...now.kept, [source]: continued(now.kept[source], kept, isEmpty) },
  }));
}

/** Undefined: no stored plan has the source. */
async function keptIn(
  streams: JetStreamPort,
  { pipeline: { pid } }: Plan,
  edge: Edge,
  { source, tails }: { readonly source: string; readonly tails: readonly WriterTail[] },
): Promise<Kept | undefined> {
  const connector = connectorOf(await storedPlans(streams, pid), source);
  if (connector === undefined) return undefined;
  const { created } = await streams.streamInfo(edgeStream(pid, edge.name));
  const lasts: LastOfSlot[] = [];
  for (const { shard, writer, sequence, frame } of tails) {
    const lost = await lostBehind(streams, { pid, shard, created }, { writer, sequence, check: frame?.check ?? 0 });
    lasts.push({ position: frame?.position, isLost: lost !== undefined });
  }
  return keptOf(connector, lasts);
}
