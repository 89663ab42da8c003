/**
 * What one seed stands for, as data: a pipeline, its records, what is done to it, and what goes wrong where. A scenario
 * that fails is made smaller by leaving parts out (../shrink.ts); what is left still means the same.
 */
import type { Trap } from '../kernel/faults.ts';
import type { WindowOptions } from '../outside/blocks.ts';
import type { Edit } from './edit.ts';
import type { Fixed, Kind, Shape } from './shape.ts';

export interface Scenario {
  readonly seed: string;
  readonly fixed: Fixed;
  /** Copies of each stream: 1, or 3 of a cluster. */
  readonly copies: 1 | 3;
  readonly first: Shape;
  readonly partitions: number;
  readonly window: WindowOptions;
  /** A view of each table fills another. */
  readonly hasViews: boolean;
  readonly bursts: readonly Burst[];
  readonly acts: readonly Act[];
  readonly traps: readonly Trap[];
  /** From then on nothing more goes wrong. */
  readonly calmAt: number;
}

/** Records that come together. */
export interface Burst {
  readonly at: number;
  readonly source: string;
  /** A partition, or a request. */
  readonly lane: number;
  readonly kinds: readonly Kind[];
  /** Sink that will refuse the row of a record; by position. */
  readonly refused: Readonly<Record<number, string>>;
  readonly broken: readonly number[];
  /** Kafka: offsets that are skipped before each record; http: sent with a key. */
  readonly gap: number;
  readonly isKeyed: boolean;
  /** Kafka: its transaction is committed so much later. */
  readonly openMs: number;
}

/** Done at a time, whatever goes on. */
export type Act =
  | { readonly at: number; readonly do: 'kill'; readonly stage: string; readonly pod: number }
  | { readonly at: number; readonly do: 'freeze'; readonly stage: string; readonly pod: number; readonly ms: number }
  /**
   * The cluster gives up the node of a pod, and the pod is removed by force. Its process goes on, or stands still first,
   * until the node is back and ends it.
   */
  | {
      readonly at: number;
      readonly do: 'lose node';
      readonly stage: string;
      readonly pod: number;
      readonly frozenMs: number;
      readonly ms: number;
    }
  | { readonly at: number; readonly do: 'slow'; readonly stage: string; readonly pod: number; readonly ms: number }
  | { readonly at: number; readonly do: 'cut'; readonly stage: string; readonly pod: number; readonly ms: number }
  | { readonly at: number; readonly do: 'stall'; readonly stage: string; readonly pod: number; readonly ms: number }
  | { readonly at: number; readonly do: 'crash server'; readonly ms: number }
  /** The only server loses power, and the edge so many frames that were acknowledged and not synced. */
  | { readonly at: number; readonly do: 'lose power'; readonly frames: number; readonly ms: number }
  /** Somebody deletes the edge's stream. */
  | { readonly at: number; readonly do: 'delete edge' }
  /** Somebody deletes the oldest frames of the edge, read or not, but no writer's last. */
  | { readonly at: number; readonly do: 'delete frames'; readonly frames: number }
  /** No stream on disk takes anything more. */
  | { readonly at: number; readonly do: 'fill store'; readonly ms: number }
  /** A server goes on that does not have the last transactions. */
  | { readonly at: number; readonly do: 'fail over'; readonly sink: string; readonly transactions: number }
  /** Compaction takes every n-th record, retention the oldest. */
  | {
      readonly at: number;
      readonly do: 'clean topic';
      readonly source: string;
      readonly every: number;
      readonly oldest: number;
    }
  /** Deleted and made again under its name. */
  | { readonly at: number; readonly do: 'remake topic'; readonly source: string }
  | { readonly at: number; readonly do: 'freeze server'; readonly ms: number }
  | {
      readonly at: number;
      readonly do: 'lose leader';
      readonly stream: 'edge' | 'commits' | 'dead' | 'leases';
      readonly ms: number;
    }
  | {
      readonly at: number;
      readonly do: 'sink';
      readonly sink: string;
      readonly state: 'refusing' | 'silent' | 'mute';
      readonly ms: number;
    }
  | {
      readonly at: number;
      readonly do: 'source';
      readonly source: string;
      readonly state: 'refusing' | 'silent';
      readonly ms: number;
    }
  | { readonly at: number; readonly do: 'scale'; readonly stage: string; readonly replicas: number }
  | { readonly at: number; readonly do: 'pause'; readonly state: 'Paused' | 'Stopped'; readonly ms: number }
  | { readonly at: number; readonly do: 'edit'; readonly edit: Edit }
  | {
      readonly at: number;
      /** The resource is deleted, with this policy. */
      readonly do: 'delete';
      readonly deletionPolicy: Shape['deletionPolicy'];
      /** So much later the person gives up what is not drained by then; absent: never. */
      readonly impatientMs?: number | undefined;
      /** So long after it is gone one of its name is made; absent: never. */
      readonly againMs?: number | undefined;
    }
  /** Its worker is killed, or hangs for so long. */
  | { readonly at: number; readonly do: 'lifecycle'; readonly ms: number }
  | { readonly at: number; readonly do: 'grow'; readonly source: string; readonly partitions: number };
