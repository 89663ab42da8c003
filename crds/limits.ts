/**
 * Bounds of values that are written as text with a unit, which a schema cannot bound, and of pairs of such values.
 *
 * Q1  A frame fits one message of NATS, and the buffer holds more than one frame; otherwise nothing could move.
 * Q2  Records wait for a few minutes at most: with a longer delay, an idle sink looks broken.
 * Q3  A pod's limit is at least its request, as Kubernetes requires.
 */
import { bytes, milliseconds, quantityOf } from '../model/quantities.ts';
import { invalid, type Issue, type IssuePath } from './issue.ts';
import type { PipelineSpec, SinkSpec } from './pipeline.ts';

export function limitIssues({
  buffer,
  frame,
  resources,
}: Pick<PipelineSpec, 'buffer' | 'frame' | 'resources'>): readonly Issue[] {
  const { requests, limits } = resources;
  return [
    ...atMost(['spec', 'frame', 'maxBytes'], bytes(frame.maxBytes), 4 * 2 ** 20, '4Mi', frame.maxBytes),
    ...atMost(['spec', 'frame', 'linger'], milliseconds(frame.linger), 60_000, '60s', frame.linger),
    ...bufferIssues(buffer.maxBytes, frame.maxBytes),
    ...requestIssues('memory', requests.memory, limits.memory),
    ...(limits.cpu === undefined ? [] : requestIssues('cpu', requests.cpu, limits.cpu)),
  ];
}

export function batchIssues({ batch }: SinkSpec, path: IssuePath): readonly Issue[] {
  return [
    ...atMost([...path, 'batch', 'maxBytes'], bytes(batch.maxBytes), 256 * 2 ** 20, '256Mi', batch.maxBytes),
    ...atMost([...path, 'batch', 'maxDelay'], milliseconds(batch.maxDelay), 600_000, '10m', batch.maxDelay),
  ];
}

function atMost(path: IssuePath, value: number, most: number, shown: string, written: string): readonly Issue[] {
  return value <= most ? [] : [invalid(path, `must be at most ${shown}, but is ${written}`)];
}

function bufferIssues(buffer: string, frame: string): readonly Issue[] {
  if (bytes(buffer) >= 2 * bytes(frame)) return [];
  return [
    invalid(['spec', 'buffer', 'maxBytes'], `must be at least twice spec.frame.maxBytes (${frame}), but is ${buffer}`),
  ];
}

function requestIssues(resource: string, request: string, limit: string): readonly Issue[] {
  if (quantityOf(request) <= quantityOf(limit)) return [];
  return [
    invalid(
      ['spec', 'resources', 'requests', resource],
      `must be at most spec.resources.limits.${resource} (${limit}), but is ${request}`,
    ),
  ];
}
