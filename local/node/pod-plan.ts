/**
 * What a pod should do next. Pure: the pod worker observes, asks, and executes.
 *
 * X1  Init containers run one after another, each until it succeeds, before any other container.
 * X2  An ended container starts again as its pod's restartPolicy says, not before `notBefore`.
 * X3  Succeeded and Failed are final.
 * X4  A run that the node interrupted when it stopped is started again, except with restartPolicy Never: a second run
 *     could do twice what should be done once, so the pod fails.
 */
import type { Run } from './instance.ts';
import type { Pod } from './pod.ts';

export type RestartPolicy = Pod['spec']['restartPolicy'];
export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export interface ContainerView {
  readonly name: string;
  readonly isInit: boolean;
  /** Undefined: never started. */
  readonly run: Run | undefined;
  /** The earliest moment of the next start. */
  readonly notBefore: number;
}

export interface PodPlan {
  readonly phase: Phase;
  readonly start: readonly string[];
  /** When to ask again even if nothing happens. */
  readonly wakeAt: number | undefined;
}

export function planPod(views: readonly ContainerView[], policy: RestartPolicy, now: number): PodPlan {
  for (const init of views.filter((view) => view.isInit)) {
    if (isDone(init)) continue;
    if (init.run?.state === 'ended' && policy === 'Never') return { phase: 'Failed', start: [], wakeAt: undefined };
    return { phase: 'Pending', ...startsOf([init], now) };
  }
  const main = views.filter((view) => !view.isInit);
  const toRun = main.filter(
    (view) => view.run === undefined || (view.run.state === 'ended' && mayRestart(view.run, policy)),
  );
  return { phase: phaseOf(main, policy), ...startsOf(toRun, now) };
}

/** X2, X4. */
export function mayRestart(
  ended: { readonly exitCode: number; readonly interrupted: boolean },
  policy: RestartPolicy,
): boolean {
  switch (policy) {
    case 'Always':
      return true;
    case 'OnFailure':
      return ended.exitCode !== 0 || ended.interrupted;
    case 'Never':
      return false;
  }
}

function isDone({ run }: ContainerView): boolean {
  return run?.state === 'ended' && run.exitCode === 0 && !run.interrupted;
}

function startsOf(views: readonly ContainerView[], now: number): Pick<PodPlan, 'start' | 'wakeAt'> {
  const idle = views.filter(({ run }) => run === undefined || run.state === 'ended');
  const later = idle.filter((view) => view.notBefore > now).map((view) => view.notBefore);
  return {
    start: idle.filter((view) => view.notBefore <= now).map((view) => view.name),
    wakeAt: later.length === 0 ? undefined : Math.min(...later),
  };
}

function phaseOf(main: readonly ContainerView[], policy: RestartPolicy): Phase {
  const neverRan = main.some(({ run }) => run === undefined);
  if (neverRan) return 'Pending';
  const isOver = main.every(({ run }) => run?.state === 'ended' && !mayRestart(run, policy));
  if (!isOver) return 'Running';
  return main.every(isDone) ? 'Succeeded' : 'Failed';
}
