/** What activities need from the process that runs them. */
import type { Logger } from 'pino';
import type { WallClock } from '../model/clock.ts';
import type { Plan } from '../model/plan.ts';
import type { JetStreamPort } from '../stream/jetstream-port.ts';
import type { Kube } from '../kubernetes/kube.ts';

/** What lets the pods of pipelines in where somebody asks. Read anew at each call: it is rotated. Throws MR_ACCESS_INVALID. */
export interface PodAccess {
  /** Files that the pods of a pipeline use with NATS, by name; undefined: it asks for nothing. */
  nats(plan: Plan): Promise<Readonly<Record<string, string>> | undefined>;
  /** A dockerconfigjson for the registry of the image; undefined: anybody may pull it. */
  pullConfig(): string | undefined;
}

export interface ActivityDependencies {
  readonly kube: Kube;
  /** The cluster behind `kube` (`kubernetes/cluster.ts`), as the process found it. */
  readonly cluster: string;
  /** Throws MR_STREAM_UNAVAILABLE while there is no connection. */
  readonly streams: () => JetStreamPort;
  readonly clock: WallClock;
  readonly log: Logger;
  /** Image of worker pods. */
  readonly image: string;
  /** NATS as pods reach it. */
  readonly natsUrl: string;
  readonly podAccess: PodAccess;
  readonly streamReplicas: number;
  /** Between two checks of an activity that waits. */
  readonly pollMs: number;
  /** Where a person can see a workflow run. */
  readonly workflowUrl?: ((workflowId: string, runId: string) => string) | undefined;
}
