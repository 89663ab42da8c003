/**
 * Reads along in the streams and checks what must hold of every message (I6, I11, E6).
 *
 * It decodes with the real decoders: that a frame can be read is part of what is checked.
 */
import { commitsEdge, deadEdge, onceToken } from '../../../model/names.ts';
import { decodeCommitEntry, positionOf } from '../../../stream/commit-entry.ts';
import { deadLettersOf } from '../../../stream/dead-letter.ts';
import { decodeFrame, type Frame } from '../../../stream/frame-reader.ts';
import type { Message } from '../jetstream/stream.ts';
import type { StoreWitness, StreamHost } from '../jetstream/server.ts';
import { idOf } from '../plant/record.ts';
import type { Ledger } from './ledger.ts';
import { Violation } from './violation.ts';

interface Tail {
  readonly sequence: number;
  readonly position: unknown;
  readonly check: number;
}

export interface WitnessOptions {
  readonly pid: string;
  readonly ledger: Ledger;
  /** Stages that the plan in force has, and those that are not gone yet. */
  readonly readers: () => readonly string[];
  /** Of a frame that names none. */
  readonly planOf: (by: string) => number;
  readonly onViolation: (violation: Violation) => void;
}

export class Witness implements StoreWitness {
  readonly #options: WitnessOptions;
  readonly #tails = new Map<string, Tail>();
  readonly #committed = new Map<string, number>();
  /** subject → owners, in the order in which they appeared. */
  readonly #owners = new Map<string, string[]>();

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  stored(host: StreamHost, message: Message, by: string): void {
    const [, pid, edge = ''] = message.subject.split('.');
    if (pid !== this.#options.pid || !message.subject.startsWith('mr.')) return;
    if (edge === onceToken) return;
    this.#checkOwner(message);
    if (edge === commitsEdge) this.#commit(host, message);
    else if (edge === deadEdge) this.#letters(host, message);
    else this.#frame(host, message, by);
  }

  purged(host: StreamHost, filter: string, before: number, by: string): void {
    const [, pid, edge = '', shard = ''] = filter.split('.');
    if (pid !== this.#options.pid || edge === commitsEdge || edge === deadEdge || shard === '') return;
    for (const stage of this.#options.readers()) {
      const committed = this.#committed.get(`mr.${pid}.${commitsEdge}.${stage}.${shard}`) ?? 0;
      const lost = host.stream.messages.find(
        ({ subject, sequence }) => subject === filter && sequence < before && sequence > committed,
      );
      if (lost === undefined) continue;
      this.#fail(
        'E6',
        `${by} removes frame ${lost.sequence} of ${filter}, which ${stage} has not committed (${committed})`,
      );
    }
  }

  /** The stream was made anew: what was known of its subjects is no longer. */
  deleted(host: StreamHost): void {
    for (const subject of [...this.#tails.keys()]) {
      if (host.stream.config.subjects.some((filter) => subject.startsWith(filter.slice(0, -1))))
        this.#tails.delete(subject);
    }
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

  #frame(host: StreamHost, message: Message, by: string): void {
    const { subject, sequence, data } = message;
    const frame = decodeFrame(data, { stream: host.name, sequence });
    const tail = this.#tails.get(subject);
    if (tail !== undefined && !isAtOrAfter(frame.position, tail.position)) {
      this.#fail('I6', `${subject}@${sequence} goes back from ${text(tail.position)} to ${text(frame.position)}`);
    }
    if (frame.link !== undefined && frame.link.plan > 0 && tail !== undefined) {
      const { predecessor, predecessorCheck } = frame.link;
      if (predecessor !== tail.sequence || predecessorCheck !== tail.check) {
        this.#fail(
          'I6',
          `${subject}@${sequence} names ${predecessor} as the frame before it, which is ${tail.sequence}`,
        );
      }
    }
    this.#tails.set(subject, { sequence, position: frame.position, check: frame.check });
    const named = frame.link?.plan ?? 0;
    const plan = named > 0 ? named : this.#options.planOf(by);
    this.#options.ledger.frame(idsIn(frame), { subject, sequence, plan });
  }

  #commit(host: StreamHost, { subject, sequence, data }: Message): void {
    const [, , , stage = '', slot = ''] = subject.split('.');
    if (!stage.startsWith('sink-') || slot === '') return;
    const entry = decodeCommitEntry(data, { stream: host.name, sequence });
    const position = positionOf(entry);
    const before = this.#committed.get(subject) ?? 0;
    if (position < before) this.#fail('I6', `${subject}@${sequence} goes back from ${before} to ${position}`);
    this.#committed.set(subject, position);
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(position: unknown): string {
  return position === undefined ? 'nothing' : JSON.stringify(position);
}
