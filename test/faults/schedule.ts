/**
 * What happens to the stack, and when: a pure function of the seed.
 *
 * A fault has a beginning and an end; several may be under way at once, because real outages do not take turns.
 */
import type { PartName } from '../../local/stack.ts';
import type { LinkMode } from '../support/tcp-proxy.ts';
import { between, oneOf, randomOf, type Random } from '../support/random.ts';

export type Link = 'clickhouse' | 'postgres' | 'bus';
export const stages = ['ingestor-orders', 'sink-warehouse', 'sink-ledger', 'ingestor-web', 'sink-store'] as const;
export type StageName = (typeof stages)[number];

export type Fault =
  | { readonly kind: 'kill'; readonly part: PartName }
  | { readonly kind: 'freeze'; readonly part: PartName; readonly forMs: number }
  | { readonly kind: 'killPod'; readonly stage: StageName }
  | { readonly kind: 'freezePod'; readonly stage: StageName; readonly forMs: number }
  | { readonly kind: 'deletePod'; readonly stage: StageName }
  | { readonly kind: 'link'; readonly link: Link; readonly mode: Exclude<LinkMode, 'pass'>; readonly forMs: number }
  /** One of several servers of NATS. */
  | { readonly kind: 'serverDown' | 'serverFrozen'; readonly server: number; readonly forMs: number }
  /** The volume of NATS has no byte left. */
  | { readonly kind: 'diskFull'; readonly forMs: number }
  | { readonly kind: 'edit' }
  | { readonly kind: 'pause'; readonly forMs: number }
  /** The pipeline of the events is deleted, drained, and made again under its name. */
  | { readonly kind: 'remake' }
  | { readonly kind: 'scale'; readonly replicas: number };

export type FaultKind = Fault['kind'];

export interface Scheduled {
  readonly atMs: number;
  readonly fault: Fault;
}

const parts = [
  'nats',
  'temporal',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'clickhouse',
  'kafka',
  'postgres',
  'node',
  'lifecycle',
  'controller',
  'api',
] as const satisfies readonly PartName[];

export const servers = 3;

type Maker = (random: Random) => Fault;

const seconds = (random: Random, from: number, to: number) => Math.round(between(random, from, to)) * 1_000;

/** How often each kind comes, and how one is made. */
const table: Readonly<Record<FaultKind, { readonly weight: number; readonly make: Maker }>> = {
  kill: { weight: 6, make: (random) => ({ kind: 'kill', part: oneOf(random, parts) }) },
  freeze: {
    weight: 2,
    make: (random) => ({ kind: 'freeze', part: oneOf(random, parts), forMs: seconds(random, 1, 12) }),
  },
  killPod: { weight: 6, make: (random) => ({ kind: 'killPod', stage: oneOf(random, stages) }) },
  freezePod: {
    weight: 3,
    make: (random) => ({ kind: 'freezePod', stage: oneOf(random, stages), forMs: seconds(random, 1, 15) }),
  },
  deletePod: { weight: 2, make: (random) => ({ kind: 'deletePod', stage: oneOf(random, stages) }) },
  link: {
    weight: 6,
    make: (random) => ({
      kind: 'link',
      link: oneOf(random, ['clickhouse', 'postgres', 'bus']),
      mode: oneOf(random, ['refuse', 'blackhole', 'mute', 'slow']),
      // Mostly a moment, at times longer than any client's patience.
      forMs: random() < 0.1 ? seconds(random, 40, 100) : seconds(random, 1, 12),
    }),
  },
  serverDown: {
    weight: 5,
    make: (random) => ({
      kind: 'serverDown',
      server: Math.floor(random() * servers),
      forMs: seconds(random, 1, 25),
    }),
  },
  serverFrozen: {
    weight: 3,
    make: (random) => ({
      kind: 'serverFrozen',
      server: Math.floor(random() * servers),
      forMs: seconds(random, 2, 20),
    }),
  },
  diskFull: { weight: 1, make: (random) => ({ kind: 'diskFull', forMs: seconds(random, 3, 15) }) },
  edit: { weight: 3, make: () => ({ kind: 'edit' }) },
  pause: { weight: 1, make: (random) => ({ kind: 'pause', forMs: seconds(random, 3, 10) }) },
  remake: { weight: 1, make: () => ({ kind: 'remake' }) },
  scale: { weight: 1, make: (random) => ({ kind: 'scale', replicas: oneOf(random, [1, 2]) }) },
};

export const faultKinds = Object.keys(table).filter((kind): kind is FaultKind => kind in table);

/** What there is to break: one server of NATS or several, and whether its volume can be filled. */
export interface Battlefield {
  readonly bus: 'server' | 'cluster';
  readonly canFill: boolean;
}

const onlyOneServer: readonly FaultKind[] = ['diskFull'];
const onlyCluster: readonly FaultKind[] = ['serverDown', 'serverFrozen'];

/** Faults of `lengthMs`, each 2 to 14 s after the one before. */
export function scheduleOf(
  seed: number,
  lengthMs: number,
  { bus, canFill }: Battlefield,
  only: readonly FaultKind[] = faultKinds,
): Scheduled[] {
  const impossible = bus === 'cluster' ? onlyOneServer : canFill ? onlyCluster : [...onlyCluster, 'diskFull'];
  const kinds = only.filter((kind) => !impossible.includes(kind));
  const random = randomOf(seed);
  const schedule: Scheduled[] = [];
  for (let atMs = 2_000; atMs < lengthMs; atMs += Math.round(between(random, 2_000, 14_000))) {
    const fault = table[kindOf(random, kinds)].make(random);
    // The servers of a cluster are no part of the stack.
    if (bus === 'cluster' && 'part' in fault && fault.part === 'nats') continue;
    schedule.push({ atMs, fault });
  }
  return schedule;
}

function kindOf(random: Random, only: readonly FaultKind[]): FaultKind {
  let left = random() * only.reduce((sum, kind) => sum + table[kind].weight, 0);
  for (const kind of only) {
    left -= table[kind].weight;
    if (left <= 0) return kind;
  }
  throw new RangeError('no kind of fault is asked for');
}

export function sentenceOf(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill -9 ${fault.part}`;
    case 'freeze':
      return `SIGSTOP ${fault.part} for ${fault.forMs / 1_000} s`;
    case 'killPod':
      return `kill -9 of a pod of ${fault.stage}`;
    case 'freezePod':
      return `SIGSTOP a pod of ${fault.stage} for ${fault.forMs / 1_000} s`;
    case 'deletePod':
      return `delete a pod of ${fault.stage}`;
    case 'link':
      return `${fault.mode} the link to ${fault.link} for ${fault.forMs / 1_000} s`;
    case 'serverDown':
      return `kill -9 server ${fault.server} of NATS, back after ${fault.forMs / 1_000} s`;
    case 'serverFrozen':
      return `SIGSTOP server ${fault.server} of NATS for ${fault.forMs / 1_000} s`;
    case 'diskFull':
      return `no room on the volume of NATS for ${fault.forMs / 1_000} s`;
    case 'edit':
      return 'edit steps and routes';
    case 'pause':
      return `pause for ${fault.forMs / 1_000} s`;
    case 'remake':
      return 'delete the pipeline of the events, and make it again';
    case 'scale':
      return `scale to ${fault.replicas}`;
  }
}
