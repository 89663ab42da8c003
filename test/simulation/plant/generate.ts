/** A scenario from a seed. What is likely here is what is searched: rare things together, at moments that matter. */
import type { Mishap, Phase, Trap } from '../kernel/faults.ts';
import { Random } from '../kernel/random.ts';
import type { Edit } from './edit.ts';
import { churnOf, focusOf } from './focus.ts';
import type { Act, Burst, Scenario } from './scenario.ts';
import { kinds, type Fixed, type Kind, type Shape, type SinkShape, type SourceShape } from './shape.ts';

/** Calls at whose points something may happen, with how often a run makes them at least. */
const calls: readonly (readonly [call: string, upTo: number])[] = [
  ['publish edge', 25],
  ['publish commits: intent', 15],
  ['publish commits: written', 5],
  ['publish commits: commit', 15],
  ['publish commits: meta', 20],
  ['publish dead', 8],
  ['publish lease', 40],
  ['get', 20],
  ['purge', 8],
  ['direct last of each', 40],
  ['info', 6],
  ['add consumer', 6],
  ['pull', 12],
  ['deliver', 40],
  ['fetch', 30],
  ['insert', 12],
  ['examine', 4],
  ['mark', 12],
  ['transaction', 12],
  ['position', 4],
];
const phases: readonly Phase[] = ['sent', 'arrived', 'done', 'answered'];

export function scenarioOf(seed: string): Scenario {
  const random = new Random(seed).fork('scenario');
  const fixed = fixedOf(random);
  const first = firstShape(random);
  const calmAt = random.whole(8_000, 30_000);
  const partitions = random.whole(1, 4);
  const focus = focusOf(seed);
  const back = returnOf(random.fork('return'), first, calmAt, focus === 'return' ? 1 : 0.08);
  const node = lostNodeOf(random.fork('node'), first, partitions, calmAt);
  const power = powerLossOf(random.fork('power'), first, calmAt);
  const end = endOf(random.fork('delete'), first, partitions, calmAt);
  const churn = churnOf(focus, random.fork('churn'), first, calmAt);
  return {
    seed,
    fixed,
    copies: random.chance(0.3) ? 3 : 1,
    first,
    partitions,
    window: {
      places: random.pick([4, 20, 100, 1_000]),
      ms: random.pick([15_000, 60_000, 600_000]),
      mostPartitions: random.whole(1, 3),
    },
    hasViews: random.fork('views').chance(0.4),
    bursts: [
      ...burstsOf(random.fork('bursts'), first, partitions, calmAt),
      ...back.bursts,
      ...node.bursts,
      ...power.bursts,
      ...end.bursts,
      ...churn.bursts,
    ].sort((a, b) => a.at - b.at),
    acts: [
      ...actsOf(random.fork('acts'), first, calmAt),
      ...back.acts,
      ...remakeOf(random.fork('remake'), first, calmAt),
      ...deletionOf(random.fork('deletion'), first, calmAt, focus === 'frames' ? 1 : 0.05),
      ...node.acts,
      ...end.acts,
      ...churn.acts,
    ],
    traps: [...trapsOf(random.fork('traps')), ...sinkTrapsOf(random.fork('sink traps')), ...power.traps, ...end.traps],
    calmAt,
  };
}

function fixedOf(random: Random): Fixed {
  return {
    uid: `uid-${random.whole(1, 1_000_000)}`,
    shards: random.whole(1, 3),
    edgeBytes: random.pick([6_000, 20_000, 200_000, 200_000]),
    frame: {
      maxRecords: random.pick([1, 3, 10, 50]),
      maxBytes: random.pick([400, 2_000]),
      lingerMs: random.pick([1, 10, 50]),
    },
    batch: {
      maxRecords: random.pick([1, 5, 20, 200]),
      maxBytes: random.pick([300, 5_000]),
      maxDelayMs: random.pick([5, 50, 300]),
    },
    deadLetters: { maxBytes: 1_000_000, whenFull: 'Block' },
  };
}

function firstShape(random: Random): Shape {
  const sources: SourceShape[] = [];
  for (let index = 0; index < random.pick([1, 1, 2]); index++) {
    const system = random.chance(0.65) ? 'kafka' : 'http';
    sources.push({ name: `s${index}`, system, replicas: random.pick([1, 1, 2, 3]), slots: random.whole(1, 4) });
  }
  const fitting = sources.map((source) => ({ ...source, replicas: Math.min(source.replicas, source.slots) }));
  return {
    generation: 1,
    sources: fitting,
    drops: random.chance(0.4) ? ['d'] : [],
    fails: random.chance(0.3) ? ['f'] : [],
    sinks: sinksOf(random, random.pick([1, 1, 2, 3])),
    desiredState: 'Running',
    deletionPolicy: 'Drain',
  };
}

function sinksOf(random: Random, count: number): SinkShape[] {
  const isRouted = count > 1 && random.chance(0.6);
  return Array.from({ length: count }, (_, index) => ({
    name: `k${index}`,
    system: random.chance(0.6) ? ('clickhouse' as const) : ('postgres' as const),
    replicas: 1,
    takes: !isRouted ? undefined : index === count - 1 ? ('otherwise' as const) : someKinds(random),
  }));
}

export function someKinds(random: Random): readonly Kind[] {
  return random.shuffled(kinds).slice(0, random.whole(1, 3)).sort();
}

const names = ['s0', 's1', 's2'];

function burstsOf(random: Random, first: Shape, partitions: number, calmAt: number): Burst[] {
  return Array.from({ length: random.whole(3, 25) }, () => {
    const source = random.chance(0.85) ? random.pick(first.sources) : sourceNamed(random, first, random.pick(names));
    const isKafka = source.system === 'kafka';
    const records = random.pick([1, 2, 5, 20]);
    const refused = Object.fromEntries(
      Array.from(
        { length: records },
        (_, index) => [index, random.chance(0.7) ? random.pick(first.sinks).name : random.pick(['k1', 'k2'])] as const,
      ).filter(() => random.chance(0.03)),
    );
    return {
      at: random.whole(0, calmAt),
      source: source.name,
      lane: random.whole(0, partitions - 1),
      kinds: Array.from({ length: records }, () => random.pick(kinds)),
      refused,
      broken: isKafka && random.chance(0.1) ? [0] : [],
      gap: isKafka && random.chance(0.3) ? random.whole(1, 3) : 0,
      isKeyed: random.chance(0.7),
      openMs: isKafka && random.chance(0.2) ? random.pick([20, 1_000, 6_000]) : 0,
    };
  }).sort((a, b) => a.at - b.at);
}

function trapsOf(random: Random): Trap[] {
  return Array.from({ length: random.pick([0, 1, 2, 4, 8]) }, () => {
    const [call, upTo] = random.pick(calls);
    return { call, phase: random.pick(phases), nth: random.whole(1, upTo), mishap: mishapOf(random) };
  });
}

/** In the middle of what a sink does with a batch: between a table and its view, and before a COMMIT. */
function sinkTrapsOf(random: Random): Trap[] {
  return Array.from({ length: random.pick([0, 0, 1, 3]) }, (): Trap => {
    const nth = random.whole(1, 12);
    if (random.chance(0.5)) return { call: 'view', phase: 'arrived', nth, mishap: { do: 'drop' } };
    return { call: 'begin', phase: random.pick(phases), nth, mishap: mishapOf(random) };
  });
}

interface PowerLoss {
  readonly traps: readonly Trap[];
  readonly bursts: readonly Burst[];
}

/**
 * The edge goes back while a batch is between its intent and its commit, and who wrote it is killed in most of them. Requests
 * that come before the next owner get the numbers of those that the intent names: nobody sends what was lost again.
 */
function powerLossOf(random: Random, first: Shape, calmAt: number): PowerLoss {
  const source = first.sources.find(({ system }) => system === 'http');
  if (source === undefined || !random.chance(0.12)) return { traps: [], bursts: [] };
  const call = random.pick(['publish commits: intent', 'insert', 'insert', 'transaction', 'publish commits: written']);
  const phase = random.pick(['done', 'answered'] as const);
  const nth = random.whole(1, 8);
  const power: Mishap = { do: 'lose power', frames: random.pick([1, 1, 2, 5]), ms: random.pick([100, 1_500]) };
  const loss: Trap = { call, phase, nth, mishap: power };
  const bursts = Array.from({ length: 40 }, (): Burst => ({
    at: random.whole(0, calmAt),
    ...one(source.name, 0, random.pick(kinds)),
  }));
  return { traps: random.chance(0.2) ? [loss] : [loss, { call, phase, nth, mishap: { do: 'kill' } }], bursts };
}

function mishapOf(random: Random): Mishap {
  const draw = random.next();
  if (draw < 0.35) return { do: 'kill' };
  if (draw < 0.5) return { do: 'freeze', ms: random.pick([200, 2_000, 4_000, 12_000]) };
  if (draw < 0.65) return { do: 'drop' };
  if (draw < 0.8) return { do: 'delay', ms: random.pick([20, 500, 4_000, 12_000]) };
  if (draw < 0.9) return { do: 'cut' };
  if (draw < 0.95) return { do: 'repeat' };
  return { do: 'crash', ms: random.pick([100, 1_000, 4_000]) };
}

function actsOf(random: Random, first: Shape, calmAt: number): Act[] {
  const acts = Array.from({ length: random.pick([0, 1, 3, 6]) }, () => actOf(random, first, random.whole(500, calmAt)));
  // A third of the runs is about edits.
  const edits = Array.from({ length: random.chance(0.35) ? random.whole(1, 6) : 0 }, (): Act => ({
    at: random.whole(200, calmAt),
    do: 'edit',
    edit: editOf(random, first),
  }));
  acts.push(...edits);
  return acts.sort((a, b) => a.at - b.at);
}

/** What happens in one after the other, and the records for it. */
interface Episode {
  readonly acts: readonly Act[];
  readonly bursts: readonly Burst[];
}

/**
 * A source is taken off and comes back while it leaves: its pods know an older plan than its last frame. In half of them
 * what it has written is not read meanwhile, and records wait for it that its pods read before the plan is announced.
 */
function returnOf(random: Random, first: Shape, calmAt: number, likely: number): Episode {
  const [gone, stays] = random.shuffled(['s0', 's1']).map((name) => sourceNamed(random, first, name));
  if (gone === undefined || stays === undefined || !random.chance(likely)) return { acts: [], bursts: [] };
  const steps = (): Edit => ({ what: 'steps', drops: random.chance(0.5) ? someKinds(random) : [], fails: [] });
  const leavesAt = random.whole(3_000, calmAt);
  const backAt = leavesAt + random.pick([300, 1_000, 2_000, 4_000]);
  const edits: readonly (readonly [at: number, edit: Edit])[] = [
    [0, { what: 'add source', source: gone }],
    [0, { what: 'add source', source: stays }],
    [leavesAt - random.whole(500, 2_500), steps()],
    [leavesAt, { what: 'remove source', source: gone.name }],
    [backAt, { what: 'add source', source: gone }],
  ];
  const acts = edits.map(([at, edit]): Act => ({ at, do: 'edit', edit }));
  const own = random.fork('backlog');
  if (gone.system !== 'kafka' || own.chance(0.5)) return { acts, bursts: [] };
  const stands = first.sinks.map(({ name: sink }): Act => {
    return { at: leavesAt - 200, do: 'sink', sink, state: 'silent', ms: own.pick([5_000, 12_000]) };
  });
  const bursts = Array.from({ length: own.whole(2, 4) }, (_, lane): Burst => ({
    at: leavesAt - own.whole(1, 150),
    ...one(gone.name, lane, own.pick(kinds)),
    openMs: own.whole(200, 600),
  }));
  // Then it is the lifecycle that comes late with the plan, with luck between its registration and its announcement.
  const hangs: Act = { at: backAt + own.whole(20, 600), do: 'lifecycle', ms: 8_000 };
  return { acts: [...acts, ...stands, hangs], bursts };
}

/** Frames go from the middle of the edge, mostly while they are not read: only the next one of their writer tells. */
function deletionOf(random: Random, first: Shape, calmAt: number, likely: number): Act[] {
  if (!random.chance(likely)) return [];
  const at = random.whole(1_000, calmAt);
  const stands = first.sinks.map(({ name: sink }): Act => {
    return { at: at - random.whole(200, 900), do: 'sink', sink, state: 'silent', ms: random.pick([1_500, 5_000]) };
  });
  const goes: Act = { at, do: 'delete frames', frames: random.pick([1, 1, 2, 5]) };
  return random.chance(0.2) ? [goes] : [...stands, goes];
}

/** A node is lost to the cluster, often just before its source or sink is taken off, which may come back. */
function lostNodeOf(random: Random, first: Shape, partitions: number, calmAt: number): Episode {
  if (!random.chance(0.06)) return { acts: [], bursts: [] };
  const source = random.pick(first.sources);
  const sink = random.pick(first.sinks);
  const isSource = random.chance(0.6);
  const at = random.whole(1_000, calmAt);
  const frozenMs = random.pick([0, 0, 1_000, 4_000, 12_000]);
  const stage = isSource ? `ingestor-${source.name}` : `sink-${sink.name}`;
  const ms = frozenMs + random.pick([500, 3_000, 20_000]);
  const loss: Act = { at, do: 'lose node', stage, pod: random.whole(0, 1), frozenMs, ms };
  if (random.chance(0.3)) return { acts: [loss], bursts: [] };
  const off = isSource
    ? ({ what: 'remove source', source: source.name } as const)
    : ({ what: 'remove sink', sink: sink.name } as const);
  const on = isSource ? ({ what: 'add source', source } as const) : ({ what: 'add sink', sink } as const);
  const offAt = at + random.whole(0, 500);
  const comesBack: Act[] = random.chance(0.7) ? [{ at: offAt + random.whole(500, 8_000), do: 'edit', edit: on }] : [];
  // Perhaps between the last look at what is read and the purge.
  const hangs: Act[] = random.chance(0.5) ? [{ at: offAt + random.whole(500, 3_000), do: 'lifecycle', ms: 2_000 }] : [];
  // For a process that goes on: nothing tells it that its source is taken off.
  const bursts = Array.from({ length: 12 }, (): Burst => ({
    ...one(source.name, random.whole(0, partitions - 1), random.pick(kinds)),
    at: at + random.whole(200, 5_000),
  }));
  return { acts: [loss, { at: offAt, do: 'edit', edit: off }, ...hangs, ...comesBack], bursts };
}

/**
 * The pipeline is deleted, while records come; in half of the runs with a sink that stands still, and a person who waits for
 * it or does not. Before it, perhaps, an edit whose worker hangs in the middle of its streams and goes on when all is gone,
 * and a node is lost whose pod goes on. In half of them one of the name is made again.
 */
function endOf(random: Random, first: Shape, partitions: number, calmAt: number): Episode & Pick<Scenario, 'traps'> {
  const draw = random.next();
  // None of the seeds that are in seeds.json: they go on meaning what they meant.
  if (draw < 0.06 || draw >= 0.12) return { acts: [], bursts: [], traps: [] };
  const at = random.whole(1_000, calmAt);
  const acts: Act[] = [
    {
      at,
      do: 'delete',
      deletionPolicy: random.pick(['Drain', 'Drain', 'Immediate']),
      impatientMs: random.chance(0.3) ? random.whole(500, 10_000) : undefined,
      againMs: random.chance(0.5) ? random.pick([1, 300, 5_000]) : undefined,
    },
  ];
  if (random.chance(0.5)) {
    const state = random.pick(['refusing', 'silent', 'mute'] as const);
    const sink = random.pick(first.sinks).name;
    acts.push({ at: at - random.whole(0, 900), do: 'sink', sink, state, ms: random.pick([1_500, 5_000, 20_000]) });
  }
  if (random.chance(0.3)) {
    const stages = [
      ...first.sources.map(({ name }) => `ingestor-${name}`),
      ...first.sinks.map(({ name }) => `sink-${name}`),
    ];
    const frozenMs = random.pick([0, 1_000, 12_000]);
    const ms = frozenMs + random.pick([500, 3_000, 20_000]);
    const stage = random.pick(stages);
    acts.push({ at: at - random.whole(0, 500), do: 'lose node', stage, pod: random.whole(0, 1), frozenMs, ms });
  }
  const traps: Trap[] = [];
  if (random.chance(0.4)) {
    acts.push({ at: at - random.whole(100, 2_500), do: 'edit', edit: editOf(random, first) });
    // Five of them when it is provisioned, and five with each edit.
    const [nth, ms] = [random.whole(3, 10), random.pick([15_000, 25_000, 40_000])];
    traps.push({ call: 'add stream', phase: random.pick(['sent', 'answered']), nth, mishap: { do: 'freeze', ms } });
  }
  // Also while it goes, and when it is gone: a topic keeps them, and a sender finds nobody.
  const bursts = Array.from({ length: random.whole(5, 20) }, (): Burst => ({
    ...one(random.pick(first.sources).name, random.whole(0, partitions - 1), random.pick(kinds)),
    at: Math.max(0, at + random.whole(-1_500, 3_000)),
    isKeyed: random.chance(0.5),
  }));
  return { acts, bursts, traps };
}

/** A record by itself. */
function one(source: string, lane: number, kind: Kind): Omit<Burst, 'at'> {
  return { source, lane, kinds: [kind], refused: {}, broken: [], gap: 0, isKeyed: false, openMs: 0 };
}

/** A topic is made anew under its source's feet, now and then twice. */
function remakeOf(random: Random, first: Shape, calmAt: number): Act[] {
  const topics = first.sources.filter(({ system }) => system === 'kafka');
  if (topics.length === 0 || !random.chance(0.06)) return [];
  return Array.from({ length: random.pick([1, 1, 2]) }, (): Act => ({
    at: random.whole(500, calmAt),
    do: 'remake topic',
    source: random.pick(topics).name,
  }));
}

function actOf(random: Random, first: Shape, at: number): Act {
  const stages = [
    ...first.sources.map(({ name }) => `ingestor-${name}`),
    ...first.sinks.map(({ name }) => `sink-${name}`),
  ];
  const stage = random.pick(stages);
  const pod = random.whole(0, 2);
  switch (
    random.pick([
      'kill',
      'freeze',
      'slow',
      'cut',
      'stall',
      'crash',
      'freeze server',
      'leader',
      'sink',
      'source',
      'scale',
      'pause',
      'grow',
      'lose power',
      'fill store',
      'fail over',
      'clean topic',
      'lifecycle',
      'edit',
      'edit',
      'edit',
      'edit',
    ])
  ) {
    case 'kill':
      return { at, do: 'kill', stage, pod };
    case 'freeze':
      return { at, do: 'freeze', stage, pod, ms: random.pick([500, 3_500, 10_000]) };
    case 'slow':
      return { at, do: 'slow', stage, pod, ms: random.pick([5, 50, 400]) };
    case 'cut':
      return { at, do: 'cut', stage, pod, ms: random.pick([0, 1_000, 5_000]) };
    case 'stall':
      return { at, do: 'stall', stage, pod, ms: random.pick([500, 4_000, 15_000]) };
    case 'crash':
      return { at, do: 'crash server', ms: random.pick([100, 1_500, 6_000]) };
    case 'freeze server':
      return { at, do: 'freeze server', ms: random.pick([500, 4_000, 12_000]) };
    case 'pause':
      return {
        at,
        do: 'pause',
        state: random.pick(['Paused', 'Paused', 'Stopped']),
        ms: random.pick([500, 4_000, 10_000]),
      };
    case 'lose power':
      return { at, do: 'lose power', frames: random.pick([1, 1, 2, 5, 1_000]), ms: random.pick([100, 1_500]) };
    case 'fill store':
      return { at, do: 'fill store', ms: random.pick([500, 4_000, 12_000]) };
    case 'fail over':
      return { at, do: 'fail over', sink: random.pick(first.sinks).name, transactions: random.pick([1, 1, 2, 5]) };
    case 'clean topic':
      return {
        at,
        do: 'clean topic',
        source: random.pick(first.sources).name,
        every: random.pick([0, 2, 3]),
        oldest: random.pick([0, 0, 5, 20]),
      };
    case 'lifecycle':
      return { at, do: 'lifecycle', ms: random.pick([0, 1_000, 8_000]) };
    case 'edit':
      return { at, do: 'edit', edit: editOf(random, first) };
    case 'grow':
      return { at, do: 'grow', source: random.pick(first.sources).name, partitions: random.whole(2, 6) };
    case 'leader':
      return {
        at,
        do: 'lose leader',
        stream: random.pick(['edge', 'commits', 'dead', 'leases']),
        ms: random.pick([200, 2_000, 6_000]),
      };
    case 'sink':
      return {
        at,
        do: 'sink',
        sink: random.pick(first.sinks).name,
        state: random.pick(['refusing', 'silent', 'mute']),
        ms: random.pick([500, 5_000, 20_000]),
      };
    case 'source':
      return {
        at,
        do: 'source',
        source: random.pick(first.sources).name,
        state: random.pick(['refusing', 'silent']),
        ms: random.pick([500, 5_000, 20_000]),
      };
    default: {
      const isSource = random.chance(0.5);
      const source = random.pick(first.sources);
      return isSource
        ? { at, do: 'scale', stage: `ingestor-${source.name}`, replicas: random.whole(0, Math.min(3, source.slots)) }
        : { at, do: 'scale', stage: `sink-${random.pick(first.sinks).name}`, replicas: random.whole(0, 3) };
    }
  }
}

/** Names come again: what was taken off comes back. */
function editOf(random: Random, first: Shape): Edit {
  const sink = random.pick(['k0', 'k1', 'k2', 'k3']);
  const source = random.pick(['s0', 's1', 's2']);
  switch (
    random.pick([
      'steps',
      'routes',
      'routes',
      'add sink',
      'add sink',
      'remove sink',
      'add source',
      'remove source',
      'policy',
    ])
  ) {
    case 'steps':
      return {
        what: 'steps',
        drops: random.chance(0.6) ? someKinds(random) : [],
        fails: random.chance(0.3) ? ['f'] : [],
      };
    case 'routes':
      return { what: 'routes', takes: Array.from({ length: random.whole(1, 3) }, () => takesOf(random)) };
    case 'add sink':
      return { what: 'add sink', sink: sinkNamed(random, first, sink) };
    case 'remove sink':
      return { what: 'remove sink', sink };
    case 'add source':
      return { what: 'add source', source: sourceNamed(random, first, source) };
    case 'remove source':
      return { what: 'remove source', source };
    default:
      return { what: 'policy', deletionPolicy: random.pick(['Drain', 'Drain', 'Immediate']) };
  }
}

function takesOf(random: Random): SinkShape['takes'] {
  return random.chance(0.3) ? undefined : random.chance(0.4) ? 'otherwise' : someKinds(random);
}

/** What has a name keeps its system: the same table, the same topic. */
function sinkNamed(random: Random, first: Shape, name: string): SinkShape {
  const known = first.sinks.find((sink) => sink.name === name);
  const system = known?.system ?? (name === 'k1' || name === 'k3' ? 'clickhouse' : 'postgres');
  return { name, system, replicas: 1, takes: takesOf(random) };
}

function sourceNamed(random: Random, first: Shape, name: string): SourceShape {
  const known = first.sources.find((source) => source.name === name);
  if (known !== undefined) return known;
  const slots = random.whole(1, 3);
  return { name, system: name === 's1' ? 'kafka' : 'http', replicas: random.whole(1, slots), slots };
}
