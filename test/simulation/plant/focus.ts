/**
 * What a run is about, if its seed says so: `sinks:17`. Then the same comes several times, with what makes it dangerous.
 * Some guards are needed only where three rare things meet, which the seeds that are about everything draw once in ten
 * thousand runs. A seed that is a mere number draws nothing here.
 */
import type { Random } from '../kernel/random.ts';
import type { Act, Burst } from './scenario.ts';
import { kinds, type Shape, type SinkShape, type SourceShape } from './shape.ts';

export const focuses = ['return', 'sources', 'sinks', 'frames', 'power', 'asked'] as const;
/**
 * - `return`: a source comes back while it leaves
 * - `sources`: a source is taken off and comes back, again and again
 * - `sinks`: so does a sink
 * - `frames`: frames go from the middle of the edge
 * - `power`: the edge loses its last frames, again and again, while they are read and written
 * - `asked`: it does, and until a person has decided and pods have acted upon it, pods come and go, more is lost, and
 *   a drain waits
 */
export type Focus = (typeof focuses)[number];

export function focusOf(seed: string): Focus | undefined {
  return focuses.find((focus) => seed.startsWith(`${focus}:`));
}

export function numberOf(seed: string): number {
  return Number(seed.slice(seed.indexOf(':') + 1));
}

export function seedOf(number: number, focus: Focus | undefined): string {
  return focus === undefined ? String(number) : `${focus}:${number}`;
}

interface Churn {
  readonly acts: readonly Act[];
  readonly bursts: readonly Burst[];
}

const nothing: Churn = { acts: [], bursts: [] };

export function churnOf(focus: Focus | undefined, random: Random, first: Shape, calmAt: number): Churn {
  const records = () => burstsFor(random, first, calmAt);
  switch (focus) {
    case 'sources':
      return {
        acts: [...comings(random, first, calmAt, 'source'), ...losses(random, first, calmAt, 0.3)],
        bursts: records(),
      };
    case 'sinks':
      return {
        acts: [...comings(random, first, calmAt, 'sink'), ...losses(random, first, calmAt, 0.8)],
        bursts: records(),
      };
    case 'power':
      return { acts: losses(random, first, calmAt, 1), bursts: records() };
    case 'asked':
      return { acts: askings(random, first, calmAt), bursts: records() };
    case 'return':
    case 'frames':
    case undefined:
      return nothing;
  }
}

/** One that stays while the others come and go: a pipeline has a source and a sink. */
const another: { readonly source: SourceShape; readonly sink: SinkShape } = {
  source: { name: 's9', system: 'http', replicas: 1, slots: 1 },
  sink: { name: 'k9', system: 'clickhouse', replicas: 1, takes: undefined },
};

function comings(random: Random, first: Shape, calmAt: number, what: 'source' | 'sink'): Act[] {
  const source = random.pick(first.sources);
  const sink = random.pick(first.sinks);
  const edit = (at: number, change: 'off' | 'on' | 'stays'): Act => {
    if (what === 'source') {
      if (change === 'off') return { at, do: 'edit', edit: { what: 'remove source', source: source.name } };
      return { at, do: 'edit', edit: { what: 'add source', source: change === 'on' ? source : another.source } };
    }
    if (change === 'off') return { at, do: 'edit', edit: { what: 'remove sink', sink: sink.name } };
    return { at, do: 'edit', edit: { what: 'add sink', sink: change === 'on' ? sink : another.sink } };
  };
  const acts: Act[] = [edit(0, 'stays')];
  const stage = what === 'source' ? `ingestor-${source.name}` : `sink-${sink.name}`;
  for (
    let at = random.whole(1_500, 4_000), isOn = true;
    at < calmAt;
    at += random.pick([300, 2_000, 5_000]), isOn = !isOn
  ) {
    acts.push(edit(at, isOn ? 'off' : 'on'));
    if (isOn && random.chance(0.4)) {
      const frozenMs = random.pick([0, 1_000, 4_000]);
      const ms = frozenMs + random.pick([500, 3_000, 12_000]);
      acts.push({ at: at - random.whole(0, 600), do: 'lose node', stage, pod: random.whole(0, 1), frozenMs, ms });
    }
    if (random.chance(0.25))
      acts.push({ at: at + random.whole(0, 900), do: 'lifecycle', ms: random.pick([0, 1_000, 4_000]) });
  }
  return acts;
}

/** Of the last frames of the edge: often some that a reader has taken, sometimes all. */
function losses(random: Random, first: Shape, calmAt: number, likely: number): Act[] {
  if (!random.chance(likely)) return [];
  return Array.from({ length: random.whole(1, 4) }, (): Act[] => {
    const at = random.whole(1_500, calmAt);
    const power: Act = { at, do: 'lose power', frames: random.pick([1, 2, 5, 1_000]), ms: random.pick([100, 1_500]) };
    if (random.chance(0.5)) return [power];
    const ms = random.pick([1_500, 5_000]);
    return [
      { at: at - random.whole(100, 900), do: 'sink', sink: random.pick(first.sinks).name, state: 'silent', ms },
      power,
    ];
  }).flat();
}

/** A person looks every second, and takes some more to decide (`./person.ts`). */
const decidesWithinMs = 12_000;

function askings(random: Random, first: Shape, calmAt: number): Act[] {
  return Array.from({ length: random.whole(1, 2) }, () => asking(random, first, calmAt)).flat();
}

function asking(random: Random, first: Shape, calmAt: number): Act[] {
  const lostAt = random.whole(1_500, calmAt);
  const meanwhile = () => random.whole(lostAt, Math.min(calmAt, lostAt + decidesWithinMs));
  const loss = (at: number): Act => ({ at, do: 'lose power', frames: random.pick([1, 2, 5, 1_000]), ms: 100 });
  const stages = [...first.sinks, ...first.sinks, ...first.sources].map((one) =>
    'slots' in one ? `ingestor-${one.name}` : `sink-${one.name}`,
  );
  const troubles = Array.from({ length: random.whole(1, 4) }, (): Act => {
    const at = meanwhile();
    const pod = { stage: random.pick(stages), pod: random.whole(0, 1) };
    const ms = random.pick([1_500, 4_000, 9_000]);
    return random.pick<Act>([
      { at, do: 'freeze', ...pod, ms },
      { at, do: 'freeze', ...pod, ms },
      { at, do: 'kill', ...pod },
      { at, do: 'stall', ...pod, ms },
      { at, do: 'lose node', ...pod, frozenMs: ms, ms: ms + random.pick([500, 3_000]) },
    ]);
  });
  const more = Array.from({ length: random.pick([0, 1, 1, 2]) }, () =>
    random.chance(0.6)
      ? loss(meanwhile())
      : ({ at: meanwhile(), do: 'delete frames', frames: random.whole(1, 4) } as const),
  );
  const episode = [loss(lostAt), ...troubles, ...more, ...drain(random, first, meanwhile(), calmAt)];
  return random.chance(0.5) ? episode : [...episode, ...formerOwner(random, first, lostAt, calmAt)];
}

/** A sink stands still in a batch, another pod meets the loss, and the first one goes on before a drain ends. */
function formerOwner(random: Random, first: Shape, lostAt: number, calmAt: number): Act[] {
  const sink = random.pick(first.sinks);
  const stage = `sink-${sink.name}`;
  const at = Math.max(1_000, lostAt - random.whole(0, 500));
  const ms = random.whole(3_500, 9_000);
  return [
    { at: 200, do: 'scale', stage, replicas: 2 },
    { at, do: 'freeze', stage, pod: 0, ms },
    { at, do: 'freeze', stage, pod: 1, ms: random.chance(0.5) ? ms : 0 },
    ...drain(random, first, Math.min(calmAt, at + ms + random.whole(-500, 2_000)), calmAt),
  ];
}

/** Of a sink, or of everything. */
function drain(random: Random, first: Shape, at: number, calmAt: number): Act[] {
  const sink = random.pick(first.sinks);
  return random.pick<Act[]>([
    [],
    [{ at, do: 'pause', state: 'Stopped', ms: Math.min(random.pick([4_000, 15_000]), calmAt - at) }],
    [
      { at: 0, do: 'edit', edit: { what: 'add sink', sink: another.sink } },
      { at, do: 'edit', edit: { what: 'remove sink', sink: sink.name } },
    ],
    [{ at, do: 'delete', deletionPolicy: 'Drain' }],
  ]);
}

function burstsFor(random: Random, first: Shape, calmAt: number): Burst[] {
  return Array.from({ length: random.whole(20, 50) }, (): Burst => ({
    at: random.whole(0, calmAt),
    source: random.pick(first.sources).name,
    lane: random.whole(0, 3),
    kinds: [random.pick(kinds)],
    ...{ refused: {}, broken: [], gap: 0, isKeyed: random.chance(0.5), openMs: 0 },
  }));
}
