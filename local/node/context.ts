/** What all pods of one node share. */
import type { AddressBook } from './addresses.ts';
import type { Backoff } from './backoff.ts';
import type { Kube } from './kube.ts';
import type { RecordEvent } from './pod-events.ts';
import type { Sources } from './sources.ts';

export interface NodeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface NodeContext {
  readonly nodeName: string;
  /** Holds one directory per pod UID. */
  readonly podsDir: string;
  readonly shimDir: string;
  readonly hostEnv: NodeJS.ProcessEnv;
  readonly kube: Kube;
  readonly addresses: AddressBook;
  readonly sources: Sources;
  readonly backoff: Backoff;
  readonly maxLogBytes: number;
  /** The most time that pods get to end when the node is stopped. */
  readonly shutdownGraceMs: number;
  readonly event: RecordEvent;
  readonly log: NodeLog;
}
