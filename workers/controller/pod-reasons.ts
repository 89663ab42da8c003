/**
 * Why pods of stages are not ready, from their status. They are listed only while a stage has fewer ready pods than it should,
 * and less often the longer the answer stays the same. A failure to list them is an answer, too: it must not keep
 * conditions from being written.
 */
import type { Kube } from '../../kubernetes/kube.ts';
import { notReady, podTroubles, type PodTrouble } from '../../activities/kubernetes/pods.ts';
import { stageSelector } from '../../activities/kubernetes/render/context.ts';
import type { EventContent } from '../../activities/status/event.ts';
import { problemOf } from '../../model/errors.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import type { Workload } from './workloads.ts';

const firstPauseMs = 5_000;
const maxPauseMs = 60_000;

/** A process of a pod that was ended for its memory; the same end has the same key. */
interface EndNews {
  readonly content: EventContent;
  readonly key: string;
}

/** When to list the pods of this workload: at once if not after `now`; undefined: no need to. */
export function askAt(
  { reasons }: Pick<PipelineRecord, 'reasons'>,
  { stage, wanted, ready }: Workload,
): number | undefined {
  if (ready < wanted) return reasons.get(stage)?.askAgainAt ?? 0;
  reasons.delete(stage);
  return undefined;
}

/** Notes why, and returns what there is to tell beside that. */
export async function ask(
  kube: Pick<Kube, 'list'>,
  { reasons }: Pick<PipelineRecord, 'reasons'>,
  workload: Workload,
  now: () => number,
): Promise<readonly EndNews[]> {
  const { stage } = workload;
  const troubles = await troublesOf(kube, workload);
  const [trouble] = troubles;
  const before = reasons.get(stage);
  const isNews = before === undefined || before.trouble?.why !== trouble?.why;
  const pauseMs = isNews ? firstPauseMs : Math.min(before.pauseMs * 2, maxPauseMs);
  const ends = troubles.flatMap(({ outOfMemory }) => outOfMemory ?? []);
  reasons.set(stage, { trouble, ends, askAgainAt: now() + pauseMs, pauseMs });
  return troubles.flatMap((one) =>
    one.outOfMemory === undefined || before?.ends.includes(one.outOfMemory) === true
      ? []
      : [endNews(workload, one, one.outOfMemory)],
  );
}

function endNews({ stage, ready, wanted }: Workload, trouble: PodTrouble, end: string): EndNews {
  const { reason, sentence: note } = notReady({ stage, ready, wanted }, trouble);
  return { content: { type: 'Warning', reason, action: 'OutOfMemory', note }, key: `${reason}/${end}` };
}

async function troublesOf(
  kube: Pick<Kube, 'list'>,
  { namespace, pipelineUid, stage }: Workload,
): Promise<readonly PodTrouble[]> {
  try {
    const pods = await kube.list('Pod', { namespace, labels: stageSelector(pipelineUid, stage) });
    return podTroubles(pods.items);
  } catch (error) {
    return [{ why: `its pods cannot be listed: ${problemOf(error)}` }];
  }
}
