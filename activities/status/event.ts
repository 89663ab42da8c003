/**
 * Kubernetes Events of a pipeline's transitions. Named by what they tell, so that telling it twice makes one event.
 */
import { createHash } from 'node:crypto';
import type { PipelineRef } from '../../model/lifecycle.ts';
import { apiVersion, fieldManagers, kind } from '../../model/names.ts';
import { KubeError } from '../../kubernetes/kube-error.ts';
import type { Kube } from '../../kubernetes/kube.ts';
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

export const eventSource: EventSource = { controller: 'millrace.io/lifecycle', instance: 'lifecycle' };

const maxNote = 1_024;

export async function emitEvent(
  kube: Kube,
  pipeline: PipelineRef,
  content: EventContent,
  about: { readonly key: string; readonly at: number; readonly source: EventSource },
): Promise<void> {
  try {
    const fieldManager = about.source.instance === 'controller' ? fieldManagers.controller : fieldManagers.status;
    await kube.create(renderEvent(pipeline, content, about), { fieldManager });
  } catch (error) {
    // Told before; or the namespace is gone, and with it everybody who could read the event.
    if (error instanceof KubeError && (error.isConflict() || error.isWithoutNamespace())) return;
    throw error;
  }
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
    note: note.length > maxNote ? `${note.slice(0, maxNote - 1)}…` : note,
    type,
  };
}
