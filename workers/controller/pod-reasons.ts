/**
 * Why stages have no ready pod, from the status of their pods. They are listed only while a stage has no ready pod, and
 * less often the longer the answer stays the same. A failure to list them is an answer, too: it must not keep
 * conditions from being written.
 */
import type { Kube } from '../../kubernetes/kube.ts';
import { podReason } from '../../activities/kubernetes/pods.ts';
import { stageSelector } from '../../activities/kubernetes/render/context.ts';
import { problemOf } from '../../model/errors.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import type { Workload } from './workloads.ts';

const firstPauseMs = 5_000;
const maxPauseMs = 60_000;

/** When to list the pods of this workload: at once if not after `now`; undefined: no need to. */
export function askAt({ reasons }: PipelineRecord, { stage, wanted, ready }: Workload): number | undefined {
  if (wanted > 0 && ready === 0) return reasons.get(stage)?.askAgainAt ?? 0;
  reasons.delete(stage);
  return undefined;
}

export async function ask(
  kube: Pick<Kube, 'list'>,
  { reasons }: Pick<PipelineRecord, 'reasons'>,
  workload: Pick<Workload, 'namespace' | 'pipelineUid' | 'stage'>,
  now: () => number,
): Promise<void> {
  const { stage } = workload;
  const why = await whyNotReady(kube, workload);
  const before = reasons.get(stage);
  const isNews = before === undefined || before.why !== why;
  const pauseMs = isNews ? firstPauseMs : Math.min(before.pauseMs * 2, maxPauseMs);
  reasons.set(stage, { why, askAgainAt: now() + pauseMs, pauseMs });
}

async function whyNotReady(
  kube: Pick<Kube, 'list'>,
  { namespace, pipelineUid, stage }: Pick<Workload, 'namespace' | 'pipelineUid' | 'stage'>,
): Promise<string | undefined> {
  try {
    const pods = await kube.list('Pod', { namespace, labels: stageSelector(pipelineUid, stage) });
    return podReason(pods.items);
  } catch (error) {
    return `its pods cannot be listed: ${problemOf(error)}`;
  }
}
