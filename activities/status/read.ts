/** The whole status of a resource, whoever has written its parts. What does not parse counts as empty. */
import { statusSchema } from '../../crds/status.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { PipelineStatus } from '../../model/status.ts';

export function statusOf(resource: KubeObject): PipelineStatus {
  const parsed = statusSchema.safeParse(resource['status'] ?? {});
  return parsed.success ? parsed.data : {};
}
