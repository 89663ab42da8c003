/**
 * What readers give up when a person's decision places them, told by what is stored: their commit logs, their questions and the
 * decisions. Everything else in the edge must be read (I1).
 *
 * By a decision about the edge a reader gives up
 * - what a batch holds that was begun;
 * - up to its position, what there was at the decision of writers of which it had taken frames that are gone: which of the others
 *   are new cannot be told;
 * - what somebody had deleted, up to where the edge ended at the decision;
 * - when its log was lost, all up to the place.
 *
 * A reader acts upon the decision that answers it, and asks no more (D6 of `stream/decisions.ts`), unless the edge has gone back once
 * more, or others were decided about meanwhile: the last decision about an edge is the one that is kept.
 */
import { z } from 'zod';
import { positionOf, type CommitEntry } from '../../../stream/commit-entry.ts';
import type { Ledger, Place } from './ledger.ts';

const questionRecord = z.object({ number: z.number(), after: z.number(), isOfSink: z.literal(true).optional() });
const decisionRecord = z.object({
  number: z.number(),
  upTo: z.number().optional(),
  isMarked: z.literal(true).optional(),
});

interface Logged {
  readonly sequence: number;
  readonly entry: CommitEntry;
}

interface Answered {
  readonly number: number;
  /** Where the edge ended, with the decision's mark. */
  readonly end: number;
  /** So many records had been stored in frames. */
  readonly records: number;
}

/** Keyed by the subject of the reader's commit log, `….sink-k0.1`. */
export class Placements {
  readonly #ledger: Ledger;
  readonly #logs = new Map<string, Logged>();
  readonly #lostLogs = new Set<string>();
  /** Subject of a writer → the first frame of this stream that it has lost. */
  readonly #lostFrom = new Map<string, number>();
  /** Stage and slot → what it asks about the edge. */
  readonly #questions = new Map<string, z.infer<typeof questionRecord>>();
  /** Sequence of a decision about the edge → where the edge ended then. */
  readonly #ends = new Map<number, number>();
  /** Of readers that were answered and have not acted yet: what the decision knew. */
  readonly #answered = new Map<string, Answered>();

  #latest = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** `who`: stage and slot, as a subject has them. */
  asked(who: string, data: Uint8Array): void {
    const question = questionRecord.parse(JSON.parse(Buffer.from(data).toString('utf8')));
    this.#questions.set(who, question);
    for (const [subject, { sequence }] of this.#logs) {
      if (whoIn(subject) !== who || question.isOfSink === true || sequence !== question.after) continue;
      // Under the same number it has only been overtaken by the answer.
      if (question.number > this.#latest && this.#answered.get(subject)?.number === this.#latest)
        this.#ledger.violated('I15', `${who} asks again, over decision ${this.#latest} that answers it`);
    }
  }

  /** About the edge. */
  decided(sequence: number, data: Uint8Array): void {
    const { number, upTo, isMarked } = decisionRecord.parse(JSON.parse(Buffer.from(data).toString('utf8')));
    this.#latest = number;
    if (upTo !== undefined) this.#ends.set(sequence, upTo);
    for (const [subject, log] of this.#logs) {
      const asked = this.#questions.get(whoIn(subject));
      if (asked?.number !== number || asked.after !== log.sequence || asked.isOfSink === true) continue;
      this.#answered.set(subject, {
        number,
        end: (upTo ?? 0) + (isMarked ? 1 : 0),
        records: this.#ledger.storedRecords,
      });
    }
  }

  committed(subject: string, sequence: number, entry: CommitEntry): void {
    const before = this.#logs.get(subject)?.entry;
    const isByDecision = (entry.chain?.decided ?? 0) > (before?.chain?.decided ?? 0);
    if (isByDecision && (before !== undefined || this.#lostLogs.has(subject))) this.#placed(subject, entry, before);
    this.#logs.set(subject, { sequence, entry });
    this.#answered.delete(subject);
  }

  #placed(subject: string, entry: CommitEntry, before: CommitEntry | undefined): void {
    const [, , , stage = '', shard = ''] = subject.split('.');
    const place = positionOf(entry);
    const end = this.#ends.get(entry.chain?.decided ?? 0) ?? 0;
    const known = this.#answered.get(subject)?.records ?? Infinity;
    this.#ledger.passOver(stage, shard, end, (frame) => {
      if (frame.sequence > place) return false;
      if (before === undefined) return true;
      const isBegun = before.kind !== 'commit' && frame.sequence > before.after && frame.sequence <= before.to;
      const hasLostTaken = (this.#lostFrom.get(frame.subject) ?? Infinity) <= positionOf(before);
      return isBegun || (hasLostTaken && frame.order <= known);
    });
  }

  /** Of a writer. */
  lost({ subject, sequence }: Place): void {
    this.#lostFrom.set(subject, Math.min(sequence, this.#lostFrom.get(subject) ?? Infinity));
  }

  /** The edge has gone back to there, with frames or only keys. */
  endsAt(last: number): void {
    for (const [log, { end }] of this.#answered) if (last < end) this.#answered.delete(log);
  }

  /** Its stream is gone: every frame of the next one is new. */
  isNew(subject: string): void {
    this.#lostFrom.delete(subject);
  }

  /** The stream of the logs has gone back. `last`: what a log ends with now. */
  wentBack(last: (subject: string) => Logged | undefined): void {
    this.#answered.clear();
    this.#questions.clear();
    for (const subject of [...this.#logs.keys()]) {
      const now = last(subject);
      if (now !== undefined) {
        this.#logs.set(subject, now);
        continue;
      }
      this.#logs.delete(subject);
      this.#lostLogs.add(subject);
    }
  }
}

function whoIn(subject: string): string {
  return subject.split('.').slice(-2).join('.');
}
