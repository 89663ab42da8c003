/** A pipeline as the Kubernetes API stores it. The spec's type is of `crds/`, which stands above; so it is a parameter. */
import type { apiVersion, kind } from './names.ts';
import type { PipelineStatus } from './status.ts';

export interface StoredMetadata {
  name: string;
  namespace?: string | undefined;
  uid?: string | undefined;
  generation?: number | undefined;
  resourceVersion?: string | undefined;
  creationTimestamp?: string | null | undefined;
  deletionTimestamp?: string | undefined;
  finalizers?: string[] | undefined;
  labels?: Record<string, string> | undefined;
  annotations?: Record<string, string> | undefined;
  /** What else Kubernetes keeps, untouched. */
  [field: string]: unknown;
}

export interface Stored<Spec> {
  apiVersion: typeof apiVersion;
  kind: typeof kind;
  metadata: StoredMetadata;
  spec: Spec;
  status?: PipelineStatus | undefined;
}
