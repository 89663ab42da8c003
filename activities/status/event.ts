/**
 * Kubernetes Events of a pipeline's transitions. Named by their content, so that reporting one twice creates one event.
 *
 * EV1 An Event is never the only report: a condition, the log or Temporal says the same. So one that cannot be written
 *     stops nothing. In a namespace that is being deleted no Event can be created at all, and a step that waited for
 *     one would keep the namespace from being deleted.
 */
import { createHash } from 'node:crypto';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../../model/names.ts';
import { problemOf } from '../../model/errors.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import { cut } from '../../model/text.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import type { Manifest } from '../../kubernetes/objects.ts';

export interface EventContent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

export interface EventSource {
  readonly controller: 'millrace.io/lifecycle' | 'millrace.io/controller';
  readonly instance: string;
}

const lifecycle: EventSource = { controller: 'millrace.io/lifecycle', instance: 'lifecycle' };

const maxNote = 1_024;

/** Resolves with what has kept it from being written (EV1); undefined: it is told, or there is nobody left to tell. */
export async function emitEvent(
  kube: Kube,
  pipeline: PipelineRef,
  content: EventContent,
  about: { readonly key: string; readonly at: number; readonly source: EventSource },
): Promise<string | undefined> {
  try {
    const fieldManager = about.source.instance === 'controller' ? fieldManagers.controller : fieldManagers.status;
    await kube.create(renderEvent(pipeline, content, about), { fieldManager });
    return undefined;
  } catch (error) {
    // Told before; or the namespace is gone, and with it everybody who could read the event.
    if (error instanceof KubeError && (error.isConflict() || error.isWithoutNamespace())) return undefined;
    return problemOf(error);
  }
}

/** Of the lifecycle, which logs what could not be told. */
export async function tellEvent(
  { kube, clock, log }: Pick<ActivityDependencies, 'kube' | 'clock' | 'log'>,
  pipeline: PipelineRef,
  content: EventContent,
  key: string,
): Promise<void> {
  const problem = await emitEvent(kube, pipeline, content, { key, at: clock.now(), source: lifecycle });
  if (problem === undefined) return;
  const about = { pipeline: `${pipeline.namespace}/${pipeline.name}`, reason: content.reason, problem };
  log.warn(about, 'what has happened could not be told as an Event');
}

function renderEvent(
  pipeline: PipelineRef,
  { type, reason, action, note }: EventContent,
  { key, at, source }: { readonly key: string; readonly at: number; readonly source: EventSource },
): Manifest {
  const { namespace, name, uid } = pipeline;
  const hash = createHash('sha256').update(`${uid}/${reason}/${key}`).digest('hex').slice(0, 16);
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name}.${hash}`, namespace },
    eventTime: new Date(at).toISOString().replace('Z', '000Z'),
    reportingController: source.controller,
    reportingInstance: source.instance,
    action,
    reason,
    regarding: { apiVersion, kind, namespace, name, uid },
    note: cut(note, maxNote),
    type,
  };
}
