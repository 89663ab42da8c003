/**
 * Why stages have no ready pod, as their pods tell: asked of the API server only while a stage has none, and less often the
 * longer its answer stays the same.
 */
import type { Kube } from '../../kubernetes/kube.ts';
import { podReason } from '../../activities/kubernetes/pods.ts';
import { stageSelector } from '../../activities/kubernetes/render/context.ts';
import type { PipelineRecord } from './pipeline-record.ts';
import type { Workload } from './workloads.ts';

const firstPauseMs = 5_000;
const maxPauseMs = 60_000;

/** When to ask for this workload; not after `now`: at once. undefined: there is nothing to ask. */
export function askAt({ reasons }: PipelineRecord, { stage, wanted, ready }: Workload): number | undefined {
  if (wanted > 0 && ready === 0) return reasons.get(stage)?.askAgainAt ?? 0;
  reasons.delete(stage);
  return undefined;
}

export async function ask(
  kube: Kube,
  { reasons }: PipelineRecord,
  { namespace, pipelineUid, stage }: Workload,
  now: () => number,
): Promise<void> {
  const pods = await kube.list('Pod', { namespace, labels: stageSelector(pipelineUid, stage) });
  const why = podReason(pods.items);
  const before = reasons.get(stage);
  const isNews = before === undefined || before.why !== why;
  const pauseMs = isNews ? firstPauseMs : Math.min(before.pauseMs * 2, maxPauseMs);
  reasons.set(stage, { why, askAgainAt: now() + pauseMs, pauseMs });
}
