/**
 * Reads along in the streams and checks what must hold of every message (E6, E9, I6, I9, I11).
 *
 * E6   What is removed was committed by every reader that is registered (E10), also when a source leaves.
 * E9   The plan that a writer names never falls, and once a plan is in force no frame of an older one comes.
 * I6   A source that comes back goes on from where it stood when it left.
 * I9   An edge keeps no more keys than it may.
 * I11  Whoever appended before somebody else never appends again.
 *
 * It decodes with the real decoders: that a frame can be read is part of what is checked.
 */
import { z } from 'zod';
import { recordsEdge } from '../../../crds/compile.ts';
import { commitsEdge, deadEdge, decisionMarkSubject, edgeStream, onceToken } from '../../../model/names.ts';
import type { Plan } from '../../../model/plan.ts';
import { decodeCommitEntry, positionOf } from '../../../stream/commit-entry.ts';
import { deadLettersOf } from '../../../stream/dead-letter.ts';
import { decodeFrame, type Frame } from '../../../stream/frame-reader.ts';
import type { Message } from '../jetstream/stream.ts';
import type { StoreWitness, StreamHost } from '../jetstream/server.ts';
import { idOf } from '../plant/record.ts';
import { keysIn } from './keys.ts';
import type { Ledger, Place } from './ledger.ts';
import { Placements } from './placements.ts';
import { Violation } from './violation.ts';

interface Tail {
  readonly sequence: number;
  readonly position: unknown;
  readonly check: number;
  readonly plan: number;
}

export interface WitnessOptions {
  readonly pid: string;
  readonly ledger: Ledger;
  /** Frames of these stages and sources need not have been read. */
  readonly isGivenUp: (stage: string) => boolean;
  /** Whether frames that name the plan are for the stage. */
  readonly isIn: (stage: string, plan: number) => boolean;
  /** A person has said how this stage goes on. */
  readonly isDecided: (stage: string) => boolean;
  /** That the edge may keep (I9). */
  readonly mostKeys: number;
  /** Slots that write to it, as the pod counts them that counts the most. */
  readonly writers: () => number;
  readonly onViolation: (violation: Violation) => void;
}

const registryRecord = z.object({
  readers: z.array(z.string()),
  sources: z.record(z.string(), z.object({ leaving: z.boolean() })),
  gone: z.record(z.string(), z.number()),
});

export class Witness implements StoreWitness {
  readonly #options: WitnessOptions;
  readonly #tails = new Map<string, Tail>();
  readonly #committed = new Map<string, number>();
  /** The furthest of the same, in the frames that are there. */
  readonly #reached = new Map<string, number>();
  readonly #placements: Placements;
  /** subject → owners, in the order in which they appeared. */
  readonly #owners = new Map<string, string[]>();
  /** Reading stages that are registered. */
  #readers: readonly string[] = [];
  #sources: z.infer<typeof registryRecord>['sources'] = {};
  #gone: Readonly<Record<string, number>> = {};
  /** source → the plan that all its writers name. */
  readonly #inForce = new Map<string, number>();
  /** The edge has lost frames. */
  #hasLost = false;

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.#placements = new Placements(options.ledger);
  }

  stored(host: StreamHost, message: Message): void {
    const [, pid, edge = ''] = message.subject.split('.');
    if (pid !== this.#options.pid || !message.subject.startsWith('mr.')) return;
    if (edge === onceToken) return this.#key(host);
    if (isMark(message.subject)) return;
    this.#checkOwner(message);
    if (edge === commitsEdge) this.#commit(host, message);
    else if (edge === deadEdge) this.#letters(host, message);
    else this.#frame(host, message);
  }

  /** The lifecycle says that every writer of the plan names it. */
  isInForce(plan: Plan): void {
    for (const stage of plan.stages)
      if (stage.kind === 'ingestor') this.#inForce.set(stage.source, plan.pipeline.generation);
  }

  purged(host: StreamHost, filter: string, before: number, by: string): void {
    const [, pid, edge = '', shard = ''] = filter.split('.');
    if (pid !== this.#options.pid || edge === commitsEdge || edge === deadEdge || shard === '' || isMark(filter))
      return;
    const source = sourceOf(filter);
    const last = host.stream.lastOf(filter)?.sequence;
    // A sweep may be on its way while the edge loses what it was to keep.
    if (by.startsWith('ingestor-') && last !== undefined && last < before && !this.#hasLost)
      this.#fail('E6', `${by} removes ${last} of ${filter}, the last frame that is left of the writer`);
    for (const stage of this.#readers) {
      // A decision to read again may come while a sweep is on its way.
      const committed = this.#reached.get(`mr.${pid}.${commitsEdge}.${stage}.${shard}`) ?? 0;
      const lost = host.stream.messages.find(
        ({ subject, sequence, data }) =>
          subject === filter && sequence < before && sequence > committed && this.#isFor(stage, host, data, sequence),
      );
      if (lost === undefined || this.#options.isGivenUp(stage) || this.#options.isGivenUp(`ingestor-${source}`))
        continue;
      this.#fail(
        'E6',
        `${by} removes frame ${lost.sequence} of ${filter}, which ${stage} has not committed (${committed})`,
      );
    }
  }

  /** A sweep may be on its way when a stage is registered, and removes frames of before, which are not for it. */
  #isFor(stage: string, host: StreamHost, data: Uint8Array, sequence: number): boolean {
    const { count, link } = decodeFrame(data, { stream: host.name, sequence });
    return count > 0 && this.#options.isIn(stage, link?.plan ?? 0);
  }

  /** Whether a slot of the stage has committed the frame. */
  hasCommitted(stage: string, { subject, sequence }: Place): boolean {
    const [, pid, , shard = ''] = subject.split('.');
    return sequence <= (this.#committed.get(`mr.${pid}.${commitsEdge}.${stage}.${shard}`) ?? 0);
  }

  /** Numbers of before a loss come again, and a position may be one of before. */
  get hasLost(): boolean {
    return this.#hasLost;
  }

  rolledBack(host: StreamHost, all: readonly Message[]): void {
    const lost = all.filter(({ subject }) => this.#isOwn(subject) && !isBesideFrames(subject));
    if (this.#isOf(commitsEdge, host)) this.#placements.wentBack((subject) => entryIn(host, subject));
    if (this.#isOf(recordsEdge, host)) this.#placements.endsAt(host.stream.lastSequence);
    if (lost.length === 0 || !this.#noteLost(lost)) return;
    this.#reachesAtMost(host.stream.lastSequence);
    for (const subject of new Set(lost.map((message) => message.subject))) {
      const last = host.stream.lastOf(subject);
      if (last !== undefined) this.#tails.set(subject, tailOf(host, last));
      else {
        this.#tails.delete(subject);
        this.#options.ledger.hasNothingLeft(subject);
      }
    }
  }

  /** The stream goes: what was known of its subjects is no longer. When its pipeline is taken down, nothing is lost by it. */
  deleted(host: StreamHost, by: string | undefined): void {
    const own = host.stream.messages.filter(({ subject }) => this.#isOwn(subject));
    const messages = own.filter(({ subject }) => !isBesideFrames(subject));
    const isTakenDown = by !== undefined;
    if (!isTakenDown) {
      if (this.#isOf(commitsEdge, host)) this.#placements.wentBack(() => undefined);
      if (messages.length > 0 && this.#noteLost(messages)) this.#reachesAtMost(0);
      // Every frame of the next stream is new.
      for (const { subject } of messages) this.#placements.isNew(subject);
    }
    const isIn = (subject: string) =>
      host.stream.config.subjects.some((filter) => subject.startsWith(filter.slice(0, -1)));
    for (const subject of [...this.#tails.keys()]) if (isIn(subject)) this.#tails.delete(subject);
    if (!isTakenDown) return;
    // Should a late act make it again, it begins anew, until that is taken down as well.
    for (const positions of [this.#committed, this.#reached])
      for (const subject of [...positions.keys()]) if (isIn(subject)) positions.delete(subject);
  }

  /** The numbers of what was lost come again. */
  #reachesAtMost(last: number): void {
    for (const frame of this.#options.ledger.endsAt(last)) this.#placements.lost(frame);
    for (const [subject, position] of this.#reached) this.#reached.set(subject, Math.min(position, last));
  }

  #isOwn(subject: string): boolean {
    return subject.startsWith(`mr.${this.#options.pid}.`);
  }

  /** Notes what the edge has lost. False: it is not of the edge. */
  #noteLost(lost: readonly Message[]): boolean {
    const [, pid, edge = ''] = lost[0]!.subject.split('.');
    if (pid !== this.#options.pid || edge === commitsEdge || edge === deadEdge) return false;
    this.#hasLost = true;
    for (const { subject, sequence } of lost) {
      this.#options.ledger.lostFrame({ subject, sequence });
      this.#placements.lost({ subject, sequence });
      // With the frames of the owners that came after it, an append that was on its way fits again.
      this.#owners.delete(subject);
    }
    return true;
  }

  #isOf(edge: string, { name }: StreamHost): boolean {
    return name === edgeStream(this.#options.pid, edge);
  }

  /** I11: whoever appended before somebody else never appends again. */
  #checkOwner({ subject, headers, sequence }: Message): void {
    const owner = headers['Millrace-Append']?.split('/')[0];
    if (owner === undefined) return;
    const owners = this.#owners.get(subject) ?? [];
    this.#owners.set(subject, owners);
    if (owners.at(-1) === owner) return;
    if (owners.includes(owner)) this.#fail('I11', `a stale owner appended ${subject}@${sequence}`);
    owners.push(owner);
  }

  /** I9. */
  #key({ stream }: StreamHost): void {
    const { mostKeys, writers } = this.#options;
    const keys = keysIn(stream);
    if (keys > mostKeys + 2 * writers()) this.#fail('I9', `the edge keeps ${keys} keys, and ${mostKeys} are allowed`);
  }

  #frame(host: StreamHost, message: Message): void {
    const { subject, sequence, data } = message;
    const frame = decodeFrame(data, { stream: host.name, sequence });
    const tail = this.#tails.get(subject);
    if (tail !== undefined && frame.count === 0 && this.#hasLeft(sourceOf(subject))) {
      // Of an act that slept until the source had left: who brings it back goes on from where it stood all the same.
      this.#tails.set(subject, { ...tail, sequence, check: frame.check });
      return;
    }
    if (tail !== undefined && !this.#hasLost && this.#isAnew(subject, frame.position, tail.position)) {
      // Offsets begin anew (086).
    } else if (tail !== undefined && !this.#hasLost && !isAtOrAfter(frame.position, tail.position)) {
      this.#fail('I6', `${subject}@${sequence} goes back from ${text(tail.position)} to ${text(frame.position)}`);
    }
    if (frame.link !== undefined && frame.link.plan > 0 && tail !== undefined && tail.sequence > 0) {
      const { predecessor, predecessorCheck } = frame.link;
      // After a loss a writer of before may meet a last frame of the number of its own: then readers stop at the next one.
      const follows = predecessor === tail.sequence && (this.#hasLost || predecessorCheck === tail.check);
      if (!follows) {
        this.#fail(
          'I6',
          `${subject}@${sequence} names ${predecessor} as the frame before it, which is ${tail.sequence}`,
        );
      }
    }
    if (frame.link?.predecessor === 0) this.#options.ledger.hasNothingLeft(subject);
    const plan = frame.link?.plan ?? 0;
    if (tail !== undefined && plan < tail.plan && !this.#hasLost)
      this.#fail('E9', `${subject}@${sequence} names plan ${plan} after ${tail.plan}`);
    this.#tails.set(subject, { sequence, position: frame.position, check: frame.check, plan });
    const inForce = this.#inForce.get(sourceOf(subject)) ?? 0;
    // With the frames that named the plan an outage has taken what kept an owner of before from appending.
    if (plan < inForce && frame.count > 0 && !this.#hasLost)
      this.#fail('E9', `${subject}@${sequence} names plan ${plan}, and ${inForce} is in force`);
    this.#options.ledger.frame(idsIn(frame), { subject, sequence, plan });
  }

  /** The position is in another topic, and a person has said how the source goes on in it. */
  #isAnew(subject: string, position: unknown, before: unknown): boolean {
    const [now, then] = [topicOf(position), topicOf(before)];
    if (now === undefined || then === undefined || now === then) return false;
    const stage = `ingestor-${sourceOf(subject)}`;
    if (now < then || !this.#options.isDecided(stage))
      this.#fail('I6', `${subject} goes from topic ${then} to ${now}, and nobody has decided so`);
    return true;
  }

  #commit(host: StreamHost, { subject, sequence, data }: Message): void {
    const [, , , stage = '', slot = ''] = subject.split('.');
    if (stage === 'meta' && slot === 'edge') return this.#registry(data);
    if (stage === 'meta') return this.#meta(subject, sequence, data);
    if (!stage.startsWith('sink-') || slot === '') return;
    const entry = decodeCommitEntry(data, { stream: host.name, sequence });
    const position = positionOf(entry);
    const before = this.#committed.get(subject) ?? 0;
    const isPlaced = entry.kind === 'commit' && entry.set === true;
    if (position < before && !isPlaced && !this.#options.isDecided(stage))
      this.#fail('I6', `${subject}@${sequence} goes back from ${before} to ${position}`);
    this.#placements.committed(subject, sequence, entry);
    this.#committed.set(subject, position);
    this.#reached.set(subject, Math.max(position, this.#reached.get(subject) ?? 0));
  }

  #meta(subject: string, sequence: number, data: Uint8Array): void {
    const [, , , , what, scope = '', ...who] = subject.split('.');
    if (scope !== recordsEdge) return;
    if (what === 'question') this.#placements.asked(who.join('.'), data);
    if (what === 'decision') this.#placements.decided(sequence, data);
  }

  #registry(data: Uint8Array): void {
    const { readers, gone, sources } = registryRecord.parse(JSON.parse(Buffer.from(data).toString('utf8')));
    // After a loss it leaves with a lower number than it had left with before, and the higher one stays (seed sources:755).
    const left = Object.keys(this.#sources).filter((source) => sources[source] === undefined);
    const moved = Object.keys(gone).filter((source) => gone[source] !== this.#gone[source]);
    this.#readers = readers;
    this.#sources = sources;
    for (const source of new Set([...left, ...moved])) {
      this.#inForce.delete(source);
      for (const [subject, { position }] of this.#tails) {
        // Its frames go, and what comes under its name follows none; only where it stood counts.
        if (sourceOf(subject) === source) this.#tails.set(subject, { sequence: 0, position, check: 0, plan: 0 });
      }
    }
    this.#gone = gone;
  }

  #hasLeft(source: string): boolean {
    return this.#gone[source] !== undefined && this.#sources[source]?.leaving !== false;
  }

  #letters(host: StreamHost, { sequence, data, subject }: Message): void {
    // Other streams share the subject: only frames of writers are letters.
    if (subject.split('.').length !== 5) return;
    for (const letter of deadLettersOf(data, { stream: host.name, sequence })) {
      this.#options.ledger.letter(letter, idOf(Buffer.from(letter.value ?? []).toString()));
    }
  }

  #fail(label: string, what: string): void {
    this.#options.onViolation(new Violation(label, what));
  }
}

/** `orders` of a subject that ends in `orders-3`. */
function sourceOf(subject: string): string {
  const writer = subject.split('.').at(-1) ?? '';
  return writer.slice(0, writer.lastIndexOf('-'));
}

function entryIn(host: StreamHost, subject: string) {
  const last = host.stream.lastOf(subject);
  if (last === undefined) return undefined;
  const { data, sequence } = last;
  return { sequence, entry: decodeCommitEntry(data, { stream: host.name, sequence }) };
}

function tailOf(host: StreamHost, { data, sequence }: Message): Tail {
  const { position, check, link } = decodeFrame(data, { stream: host.name, sequence });
  return { sequence, position, check, plan: link?.plan ?? 0 };
}

function idsIn(frame: Frame): string[] {
  const bytes = Buffer.from(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.byteLength);
  return Array.from({ length: frame.count }, (_, index) =>
    idOf(bytes.toString('utf8', frame.valueStart[index], frame.valueEnd[index])),
  );
}

/** Positions of the simulation are numbers, or numbers by partition. */
export function isAtOrAfter(position: unknown, before: unknown): boolean {
  if (before === undefined || before === null) return true;
  if (typeof position === 'number' && typeof before === 'number') return position >= before;
  if (!isRecord(position) || !isRecord(before)) return false;
  return Object.entries(before).every(([partition, offset]) => Number(position[partition] ?? -1) >= Number(offset));
}

function topicOf(position: unknown): number | undefined {
  return isRecord(position) && typeof position['topic'] === 'number' ? position['topic'] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(position: unknown): string {
  return position === undefined ? 'nothing' : JSON.stringify(position);
}

/** Of a decision, in the edge that it is about. */
function isMark(subject: string): boolean {
  const [, pid = '', edge = ''] = subject.split('.');
  return subject === decisionMarkSubject(pid, edge);
}

function isBesideFrames(subject: string): boolean {
  return subject.split('.')[2] === onceToken || isMark(subject);
}
