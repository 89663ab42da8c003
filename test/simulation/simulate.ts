/**
 * One run: the pipeline is made, records come, things go wrong, it becomes calm, and then everything must be where it
 * belongs.
 *
 * I8  When nothing goes wrong any more, what was taken in reaches the sinks within {@link settleMs}, and a fresh record of
 *     each source within {@link freshMs}, not counting the time of a person who is asked.
 * I7  Then what each loop has counted adds up (./check/balance.ts).
 * I15 A person is asked only when something was lost (decision 124).
 * I10 Then nobody reports a lag, and I14 nobody reports trouble.
 */
import { commitSubject, decisionMarkSubject, edgeStream, onceToken, shardSubjects } from '../../model/names.ts';
import { committedPosition } from '../../stream/commit-entry.ts';
import { decodeFrame } from '../../stream/frame-reader.ts';
import { imbalance } from './check/balance.ts';
import { fateOf } from './check/reference.ts';
import { BlockTable } from './outside/clickhouse.ts';
import { PositionedTable } from './outside/postgres.ts';
import type { LedgerInput } from './check/ledger.ts';
import { Violation } from './check/violation.ts';
import { mostKeys } from './check/keys.ts';
import { leftOf } from './check/departure.ts';
import { perform, startUp } from './plant/acts.ts';
import { Plant } from './plant/plant.ts';
import { isQuestion } from './plant/person.ts';
import type { Plan } from '../../model/plan.ts';
import { edited } from './plant/edit.ts';
import type { Burst, Scenario } from './plant/scenario.ts';

export interface Result {
  readonly seed: string;
  readonly violation: Violation | undefined;
  readonly events: number;
  readonly records: number;
  readonly frames: number;
  readonly mishaps: number;
  readonly virtualMs: number;
  /** Points that were passed, with how often. */
  readonly passed: ReadonlyMap<string, number>;
}

const settleMs = 180_000;
const freshMs = 10_000;
const noticeMs = 8_000;
/** Requests without a key that nobody answers, one after the other. */
const mostFresh = 12;
/**
 * A source that has nothing new is called connected 15 s after its last failure (stream/ingest-loop.ts); that failure may
 * be of a request from before the calm (5 s), and a backoff (10 s) follows it.
 */
const hushMs = 35_000;
/** A lease is forgotten 3 s after it was renewed last, and its marker after a minute. */
const forgottenMs = 70_000;

export async function simulate(scenario: Scenario, log?: (line: string) => void): Promise<Result> {
  const plant = new Plant(scenario, log);
  const startedAt = plant.world.now;
  plant.faults.losePower = (frames, ms) => perform(plant, { at: plant.world.now, do: 'lose power', frames, ms });
  const violation = await violationOf(plant);
  if (violation !== undefined) plant.say(`VIOLATION ${violation.message}`);
  return {
    seed: scenario.seed,
    violation,
    events: plant.world.events,
    records: plant.all.reduce((sum, { ledger }) => sum + ledger.inputs.size, 0),
    frames: plant.all.reduce((sum, { ledger }) => sum + ledger.storedFrames, 0),
    mishaps: plant.faults.sprung + scenario.acts.length,
    virtualMs: plant.world.now - startedAt,
    passed: plant.faults.passed,
  };
}

async function violationOf(plant: Plant): Promise<Violation | undefined> {
  try {
    await act(plant);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return new Violation('defect', text);
  }
}

async function act(plant: Plant): Promise<void> {
  const { world, scenario } = plant;
  const start = world.now;
  startUp(plant);
  scenario.bursts.forEach((burst, index) => world.after(burst.at, () => bring(plant.latest, burst, index)));
  for (const one of scenario.acts) world.after(one.at, () => perform(plant, one));
  await world.run(() => false, start + scenario.calmAt);
  plant.faults.enabled = false;
  // What hangs in a network that stood still comes when it moves again, not before.
  await world.run(
    () => false,
    Math.max(world.now, ...[...plant.server.connections].map(({ stalledUntil }) => stalledUntil)),
  );
  calm(plant);
  await settle(plant.latest);
  // It may have been deleted, and made again.
  const last = plant.latest;
  if (last.lifecycle.isDeleted) await world.run(() => false, world.now + forgottenMs);
  else {
    missUnread(last);
    if (plant !== last) await settle(last);
    await bringFresh(last);
    if (plant !== last) await world.run(() => false, world.now + forgottenMs);
    finalChecks(last);
  }
  for (const one of plant.all) checkGone(one);
}

/** I9 */
function checkGone(plant: Plant): void {
  if (!plant.lifecycle.isDeleted) return;
  const left = leftOf(plant);
  if (left !== '') throw new Violation('I9', `${plant.pid} is gone, and there is ${left}`);
}

/** Of one pipeline: its processes run again, or end. */
function endTroubles({ cluster, lifecycle }: Plant): void {
  for (const pod of cluster.pods) {
    pod.machine.slowMs = 0;
    pod.machine.thaw();
  }
  cluster.endLost();
  lifecycle.machine?.thaw();
}

/** Everything that was broken works again. */
function calm(first: Plant): void {
  const plant = first.latest;
  const { server, remotes, cluster } = plant;
  plant.say('calm');
  for (const remote of remotes.values()) remote.state = 'up';
  if (!server.up) server.start(0);
  server.options.maxStoreBytes = undefined;
  for (const host of server.hosts) host.electingUntil = host.offlineUntil = 0;
  for (const connection of server.connections) connection.unreachableUntil = 0;
  for (const one of first.all) endTroubles(one);
  plant.lifecycle.edit((now) => edited(now, { what: 'state', desiredState: 'Running' }));
  if (plant.lifecycle.isDeleted) return;
  for (const { name } of newestPlan(plant).stages) if (cluster.wantedOf(name) === 0) cluster.scale(name, 1);
  const { sinks } = plant.lifecycle.resource;
  for (const name of plant.tables.keys()) if (!sinks.some((sink) => sink.name === name)) plant.takenOff(name);
  missUnread(plant);
}

/** What is there of sources that are not in the spec nobody reads any more. */
function missUnread({ lifecycle, ledger }: Plant): void {
  const { sources } = lifecycle.resource;
  for (const input of ledger.inputs.values())
    if (!sources.some(({ name }) => name === input.source)) input.mayBeMissing = true;
}

async function settle(plant: Plant): Promise<void> {
  const { world } = plant;
  const until = world.now + settleMs;
  // Once more after a while: who has lost his place notices it when he is connected again.
  for (let isFirst = true; ; isFirst = false) {
    let last = world.now;
    const slowly = () => {
      if (world.now - last < 50) return false;
      last = world.now;
      return isQuiet(plant);
    };
    if (!(await world.run(slowly, until))) break;
    if (!isFirst) return;
    await world.run(() => false, world.now + noticeMs);
  }
  const [missing] = plant.ledger.settle();
  throw new Violation(
    'I8',
    `not settled ${settleMs / 1_000} s after the last trouble: ${whyNot(plant)}${missing === undefined ? '' : ` (${missing.message})`}`,
  );
}

/** Requests are answered, sources read, edges drained. */
function isQuiet(plant: Plant): boolean {
  return whyNot(plant) === '';
}

function whyNot(plant: Plant): string {
  if (plant.lifecycle.isDeleted) return whyNotGone(plant);
  if (asksPerson(plant)) return `a person is asked; ${states(plant)}`;
  if (!plant.lifecycle.isAtRest) return `the lifecycle is busy: ${plant.lifecycle.doing}; ${states(plant)}`;
  const { sources, sinks } = plant.lifecycle.resource;
  for (const { name } of sinks) {
    const table = plant.tables.get(name);
    if (table instanceof PositionedTable && table.hasGoneBack(plant.uid))
      return `sink ${name} has gone back, and nobody has noticed`;
  }
  for (const [name, service] of plant.services)
    if (service.unsettled > 0 && sources.some((source) => source.name === name))
      return `${service.unsettled} requests to ${name} are open`;
  for (const input of plant.ledger.inputs.values()) {
    // An edit may come after the calm, too.
    const isRead = sources.some(({ name }) => name === input.source);
    if (isRead && !input.mayBeMissing && !plant.ledger.isInEdge(input.id))
      return `record ${input.id} is not in the edge; ${states(plant)}`;
  }
  for (const stage of newestPlan(plant).stages) {
    if (stage.kind !== 'sink') continue;
    const edge = plant.server.host(edgeStream(plant.pid, stage.reads));
    const commits = plant.server.host(plant.streamOf('commits'));
    if (edge === undefined || commits === undefined) return 'a stream is gone';
    for (let slot = 0; slot < stage.slots; slot++) {
      const entry = commits.stream.lastOf(commitSubject(plant.pid, stage.name, slot));
      const committed =
        entry === undefined ? 0 : committedPosition(entry.data, { stream: 'commits', sequence: entry.sequence });
      const behind = edge.stream.pending(committed + 1, shardSubjects(plant.pid, stage.reads, slot));
      if (behind > 0) return `${stage.name} slot ${slot} is ${behind} frames behind ${committed}; ${states(plant)}`;
    }
  }
  return '';
}

function whyNotGone(plant: Plant): string {
  const { lifecycle, streamsLeft, comesAgain, successor } = plant;
  if (lifecycle.isThere) return `it is deleted, and still there: ${lifecycle.doing}; ${states(plant)}`;
  if (streamsLeft.length > 0) return `it is gone, and there are ${streamsLeft.join(', ')}`;
  if (comesAgain && successor === undefined) return 'it is not made again';
  return lifecycle.isAtRest ? '' : `leftovers are taken down: ${lifecycle.doing}`;
}

function asksPerson({ cluster }: Plant): boolean {
  return cluster.pods.some((pod) =>
    [...pod.slots.values()].some(({ observer }) => observer.reasons.some(({ code }) => isQuestion(code))),
  );
}

function newestPlan(plant: Plant): Plan {
  return plant.plans.get(plant.lifecycle.resource.generation)!;
}

function states(plant: Plant): string {
  return plant.cluster.pods
    .map((pod) => {
      const slots = [...pod.slots].map(
        ([slot, { observer, lag }]) => `${slot}:${observer.trouble ?? 'fine'}/${String(lag())}`,
      );
      const failures = [...pod.failures].map(([slot, why]) => `${slot} failed: ${why}`);
      return `${pod.machine.name} [${[...slots, ...failures].join(', ')}]`;
    })
    .join(' ');
}

/**
 * Whether each source may bring a request with a new key for certain: else it is answered 429 until older keys are over.
 * A pod of an older plan takes the subjects of writers that it does not know for keys.
 */
function hasRoomForKeys(plant: Plant): boolean {
  const edge = plant.server.host(plant.streamOf('edge'));
  if (edge === undefined) return true;
  edge.stream.expire(plant.world.now);
  return edge.stream.subjects + plant.lifecycle.resource.sources.length <= mostKeys(plant.scenario.fixed);
}

/** A fresh record of every source, and where it must be. */
async function bringFresh(plant: Plant): Promise<void> {
  const { world, scenario } = plant;
  let index = scenario.bursts.length;
  let sources = plant.lifecycle.resource.sources.map(({ name }) => name);
  while (sources.length > 0 && index < scenario.bursts.length + mostFresh) {
    const fresh = sources.flatMap((name) => bringOne(plant, name, index++));
    await mustArrive(plant, fresh);
    // A request without a key may be answered 503, and then it is a new one that must arrive.
    sources = fresh.filter((input) => isUnanswered(plant, input)).map(({ source }) => source);
  }
  // An idle slot looks only now and then whether its sink has gone back, and asks then.
  do {
    await settle(plant);
    await world.run(() => false, world.now + hushMs);
  } while (asksPerson(plant));
}

function bringOne(plant: Plant, source: string, index: number): LedgerInput[] {
  const before = plant.ledger.inputs.size;
  const isKeyed = hasRoomForKeys(plant);
  bring(plant, { at: 0, source, lane: 0, kinds: ['a'], refused: {}, broken: [], gap: 0, isKeyed, openMs: 0 }, index);
  return [...plant.ledger.inputs.values()].slice(before);
}

async function mustArrive(plant: Plant, fresh: readonly LedgerInput[]): Promise<void> {
  const { ledger } = plant;
  const shape = plant.lifecycle.resource;
  const hasArrived = () =>
    fresh.every(
      (input) =>
        input.isDecided ||
        isUnanswered(plant, input) ||
        (ledger.isInEdge(input.id) && fateOf(input, shape).rows.every((sink) => ledger.hasRow(sink, input.id))),
    );
  if (await arrives(plant, hasArrived)) return;
  const late = fresh.filter(({ id }) => !ledger.isInEdge(id)).map(({ id }) => `${id} is not in the edge`);
  throw new Violation(
    'I8',
    `a fresh record does not arrive within ${freshMs / 1_000} s: ${late.join(', ')} ${states(plant)}`,
  );
}

function isUnanswered({ ledger }: Plant, { id, lane, mayBeMissing }: LedgerInput): boolean {
  return lane === null && mayBeMissing && !ledger.isInEdge(id);
}

/**
 * A slot that had nothing to write finds only now that its sink has gone back, and waits for the person: the time counts
 * while nobody is asked.
 */
async function arrives(plant: Plant, hasArrived: () => boolean): Promise<boolean> {
  const { world } = plant;
  const until = world.now + settleMs;
  for (let wasAsked = true; wasAsked && world.now < until;) {
    wasAsked = false;
    const look = () => {
      wasAsked ||= asksPerson(plant);
      return hasArrived();
    };
    if (await world.run(look, world.now + freshMs)) return true;
  }
  return false;
}

function finalChecks(plant: Plant): void {
  const [missing] = plant.ledger.settle();
  if (missing !== undefined) throw missing;
  checkLeftovers(plant);
  checkViews(plant);
  // Of what was lost with the edge, a writer that goes on has no more to say.
  if (!plant.ledger.hasDecided) checkPositions(plant);
  for (const pod of plant.cluster.pods) {
    for (const [slot, { observer, lag, lettersBefore }] of pod.slots) {
      const where = `${pod.machine.name} slot ${slot}`;
      const { stage } = pod;
      const system = stage.kind !== 'ingestor' ? undefined : plant.topics.has(stage.source) ? 'kafka' : 'http';
      const wrong = imbalance(observer, { kind: stage.kind, system, lettersBefore });
      if (wrong !== undefined && !pod.failures.has(slot)) throw new Violation('I7', `${where} says ${wrong}`);
      if (observer.trouble !== undefined)
        throw new Violation('I14', `${where} says ${observer.trouble} while all is well`);
      const told = lag();
      if (told !== undefined && told !== 0)
        throw new Violation('I10', `${where} reports a lag of ${told} and has none`);
    }
  }
}

/** I1, I2: what a view fills has what its table has. A batch whose frames the edge has lost cannot be repeated for the view. */
function checkViews(plant: Plant): void {
  if (plant.ledger.hasDecided) return;
  for (const { name } of plant.lifecycle.resource.sinks) {
    const table = plant.tables.get(name);
    if (table instanceof BlockTable && table.hasTornBlocks(plant.uid) && !plant.isGivenUp(`sink-${name}`))
      throw new Violation('I2', `a view of ${name} has other rows than ${name}`);
  }
}

/**
 * I9: an edge holds no records of sources that are not in the spec any more, which nobody would sweep. Those of one that was
 * given up at once stay when a batch that was begun has them (stream/retire.ts): a later operation takes them off.
 */
function checkLeftovers(plant: Plant): void {
  const { sources } = plant.lifecycle.resource;
  const edge = plant.server.host(plant.streamOf('edge'));
  for (const { subject, data, sequence } of edge?.stream.messages ?? []) {
    const [, , token = '', , writer = ''] = subject.split('.');
    if (token === onceToken || subject === decisionMarkSubject(plant.pid, token)) continue;
    const source = writer.slice(0, writer.lastIndexOf('-'));
    if (sources.some(({ name }) => name === source) || plant.isGivenUp(`ingestor-${source}`)) continue;
    if (decodeFrame(data, { stream: 'edge', sequence }).count > 0)
      throw new Violation('I9', `${subject} has records, and the source is not there any more`);
  }
}

/** E5: positions reach the end of what there is to read, also where the last of it were no records. */
function checkPositions(plant: Plant): void {
  const edge = plant.server.host(plant.streamOf('edge'));
  for (const { name: source } of plant.lifecycle.resource.sources) {
    const topic = plant.topics.get(source);
    if (topic === undefined) continue;
    const tails =
      edge?.stream
        .lastOfEach(`mr.${plant.pid}.*.*.>`)
        .filter(({ subject }) => subject.split('.')[4]?.startsWith(`${source}-`)) ?? [];
    const covered = new Map<string, number>();
    for (const { data, sequence } of tails) {
      const { position } = decodeFrame(data, { stream: 'edge', sequence });
      const { topic: id, ...offsets } = Object(position) as Record<string, unknown>;
      if (id !== topic.id) continue;
      for (const [partition, offset] of Object.entries(offsets)) {
        covered.set(partition, Math.max(covered.get(partition) ?? 0, Number(offset)));
      }
    }
    topic.partitions.forEach(({ stable }, partition) => {
      const at = covered.get(String(partition)) ?? 0;
      if (at < stable)
        throw new Violation('E5', `${source} partition ${partition} is covered up to ${at} of ${stable}`);
    });
  }
}

function bring(plant: Plant, burst: Burst, index: number): void {
  const { ledger, topics, services } = plant;
  // Nobody sends to what is not there; what a topic gets before it is made again it reads from there.
  if (!plant.lifecycle.isThere && !(plant.comesAgain && topics.has(burst.source))) return;
  if (!plant.lifecycle.resource.sources.some(({ name }) => name === burst.source)) return;
  const topic = topics.get(burst.source);
  const lane = topic === undefined ? null : `${burst.source}/${burst.lane % topic.partitions.length}`;
  const inputs = burst.kinds.map((kind, at): LedgerInput => ({
    id: `${burst.source}/${burst.lane}/${index}.${at}`,
    source: burst.source,
    kind,
    isBroken: burst.broken.includes(at),
    refusedBy: burst.refused[at] ?? '',
    lane,
    // As they come, not as they were planned: two bursts may come at one moment.
    place: plant.nextPlace + at,
    acknowledged: false,
    mayBeMissing: false,
    mayRepeat: false,
    isDecided: false,
  }));
  for (const input of inputs) ledger.add(input);
  plant.say(`${inputs.length} records for ${burst.source} ${lane ?? ''}`);
  if (topic !== undefined) {
    const partition = burst.lane % topic.partitions.length;
    const transaction = topic.begin(partition);
    for (const input of inputs) topic.append(partition, input, burst.gap);
    if (burst.gap > 0) topic.append(partition, undefined);
    plant.world.after(burst.openMs, () => topic.commit(partition, transaction));
    return;
  }
  services.get(burst.source)?.send({ inputs, key: burst.isKeyed ? `key-${index}` : undefined });
}
