/**
 * What really happened, kept by somebody who sees everything: inputs, frames as the stream stored them, rows as the
 * sinks stored them, dead letters. It speaks up at once where a later look would be too late to say how it came.
 */
import { fateOf, rowOf, type Input } from './reference.ts';
import { Violation } from './violation.ts';
import type { DeadLetter } from '../../../stream/dead-letter.ts';
import { textOf } from '../plant/record.ts';
import type { Shape } from '../plant/shape.ts';

export interface LedgerInput extends Input {
  readonly source: string;
  /** Records with the same lane keep their order: a partition; null where the source promises none. */
  readonly lane: string | null;
  readonly place: number;
  /** The source counts it as taken over. */
  acknowledged: boolean;
  /** It may be missing, because nobody was told that it is stored. */
  mayBeMissing: boolean;
  /** It may come again: a person has decided. */
  mayRepeat: boolean;
  /** It was there when a person decided about a loss in the edge: its source may not read it again, or once more. */
  isDecided: boolean;
}

export interface Place {
  readonly sequence: number;
  readonly subject: string;
}

export interface FrameOf extends Place {
  readonly plan: number;
}

/** Of a record, in a frame. */
export interface RecordPlace extends FrameOf {
  /** Of the record in the frame. */
  readonly index: number;
  /** Of all records that were stored in frames, in the order in which they came. */
  readonly order: number;
  /** It came when the sources of a deleted pipeline had stopped. */
  readonly isLate: boolean;
}

/** How far a pipeline was when its streams went. */
export interface Departure {
  /** Whether a frame is to be in the stage's sink, or among its dead letters. */
  readonly isDue: (stage: string, frame: FrameOf) => boolean;
}

export class Ledger {
  readonly inputs = new Map<string, LedgerInput>();
  readonly shapes = new Map<number, Shape>();
  /** A person has decided about a loss in the edge. */
  hasDecided = false;
  /** The pipeline is being deleted, and no pod of a source that Kubernetes knows of is left. */
  haveSourcesStopped = false;
  /** Nothing of the pipeline is left that could write anything. */
  isClosed = false;
  /** More than one where a record may come again. */
  readonly #frames = new Map<string, RecordPlace[]>();
  /** Frames that were acknowledged and are gone: a sink may have taken them before. */
  readonly #lost = new Map<string, RecordPlace[]>();
  /** sink and id: a person has decided that it may be missing there. */
  readonly #forgone = new Set<string>();
  /** sink → generation: what of frames up to that one it has not written was given up with it. */
  readonly #givenUp = new Map<string, number>();
  /** sink → id → row. */
  readonly #rows = new Map<string, Map<string, string>>();
  /** sink → lane → place of the last row. */
  readonly #lanes = new Map<string, Map<string, number>>();
  /** stage and id → code. */
  readonly #letters = new Map<string, string>();
  /** stage, id and frame: a person's decision has passed over it. */
  readonly #passedOver = new Set<string>();
  /** Frames that somebody deleted, by their place. */
  readonly #deleted = new Map<string, Place>();
  readonly #onlyInEdge = new Set<string>();
  #stored = 0;
  readonly #onViolation: (violation: Violation) => void;

  constructor(onViolation: (violation: Violation) => void) {
    this.#onViolation = onViolation;
  }

  add(input: LedgerInput): void {
    this.inputs.set(input.id, input);
  }

  mayMiss(id: string): void {
    const input = this.inputs.get(id);
    if (input !== undefined) input.mayBeMissing = true;
  }

  /** The source no longer has it: what the edge has not, or loses later, is nobody's to have. */
  removedAtSource(id: string): void {
    if (this.isInEdge(id)) this.#onlyInEdge.add(id);
    else this.mayMiss(id);
  }

  acknowledge(id: string): void {
    const input = this.inputs.get(id);
    // What was lost meanwhile was acknowledged before; the answer came late.
    if (input !== undefined && (this.#frames.has(id) || !this.#lost.has(id))) input.acknowledged = true;
  }

  /** Records that were stored in frames, as often as they were. */
  get storedRecords(): number {
    return this.#stored;
  }

  get storedFrames(): number {
    return this.#frames.size;
  }

  hasRow(sink: string, id: string): boolean {
    return this.#rows.get(sink)?.has(id) === true;
  }

  rowsOf(sink: string): number {
    return this.#rows.get(sink)?.size ?? 0;
  }

  get letters(): number {
    return this.#letters.size;
  }

  isInEdge(id: string): boolean {
    return this.#frames.has(id);
  }

  /** Of a record; where its source promises no order, what its id begins with. */
  laneOf(id: string): string {
    return this.inputs.get(id)?.lane ?? id.slice(0, id.lastIndexOf('/'));
  }

  /** A frame was stored in the edge. */
  frame(ids: readonly string[], frame: FrameOf): void {
    if (this.isClosed) this.#fail('I9', `${frame.subject}@${frame.sequence} comes when its pipeline is gone`);
    this.#deleted.delete(placeOf(frame));
    for (const [index, id] of ids.entries()) {
      const [before, ...earlier] = this.#frames.get(id) ?? [];
      const input = this.inputs.get(id);
      if (before !== undefined && input?.mayRepeat !== true) {
        this.#fail(
          'I2',
          `record ${id} is in the edge twice: ${before.subject}@${before.sequence} and ${frame.subject}@${frame.sequence}`,
        );
      }
      if (input === undefined) this.#fail('I5', `the edge has record ${id}, which no source ever had`);
      const place = { ...frame, index, order: ++this.#stored, isLate: this.haveSourcesStopped };
      this.#frames.set(id, before === undefined ? [place] : [place, before, ...earlier]);
    }
  }

  /** The edge has gone back. What a source has, it reads again; what was sent once by HTTP is gone. */
  lostFrame({ subject, sequence }: Place): void {
    for (const [id, frames] of this.#frames) {
      const lost = frames.filter((frame) => frame.subject === subject && frame.sequence === sequence);
      if (lost.length === 0) continue;
      const left = frames.filter((frame) => !lost.includes(frame));
      if (left.length === 0) this.#frames.delete(id);
      else this.#frames.set(id, left);
      this.#lost.set(id, [...(this.#lost.get(id) ?? []), ...lost]);
      const input = this.inputs.get(id);
      if (input === undefined) continue;
      // Whoever sent it by HTTP and had no answer sends it again, and asks nobody; a sink may have it.
      if (input.lane === null && !input.acknowledged) input.mayRepeat = true;
      input.acknowledged = false;
      if (input.lane === null || this.#onlyInEdge.has(id)) input.mayBeMissing = true;
    }
  }

  /**
   * A person has decided, whatever the choice, and sources go on as that says. What readers pass over is known only when they
   * are placed ({@link passOver}).
   */
  decided(): void {
    this.hasDecided = true;
    for (const input of this.inputs.values()) input.isDecided = input.mayRepeat = input.mayBeMissing = true;
  }

  /** Somebody has deleted a frame with a tool. Who has not read it has to ask. */
  deletedFrame(frame: Place): void {
    this.#deleted.set(placeOf(frame), frame);
  }

  /** The edge has gone back to there: what had been deleted after that is lost with the rest, and returned. */
  endsAt(last: number): readonly Place[] {
    return this.#loseDeleted(({ sequence }) => sequence > last);
  }

  /** A writer has lost all its frames: what had been deleted is among them, and nothing tells of it. */
  hasNothingLeft(writer: string): void {
    this.#loseDeleted(({ subject }) => subject === writer);
  }

  #loseDeleted(isLost: (frame: Place) => boolean): readonly Place[] {
    const lost = [...this.#deleted.values()].filter(isLost);
    for (const frame of lost) {
      this.#deleted.delete(placeOf(frame));
      this.lostFrame(frame);
    }
    return lost;
  }

  /**
   * A decision has placed a reader of a shard: it does not read the frames that are there now and of which this is true, nor those
   * that somebody has deleted, up to where the edge ended when a person decided.
   */
  passOver(stage: string, shard: string, upTo: number, isPassed: (frame: RecordPlace) => boolean): void {
    for (const [id, frames] of this.#frames)
      for (const frame of frames) {
        if (frame.subject.split('.')[3] !== shard) continue;
        const isDeleted = frame.sequence <= upTo && this.#deleted.has(placeOf(frame));
        if (isDeleted || isPassed(frame)) this.#passedOver.add(passing(stage, id, frame));
      }
  }

  /** A sink has gone back: it does not have these any more. */
  unrow(sink: string, ids: readonly string[]): void {
    for (const id of ids) {
      this.#rows.get(sink)?.delete(id);
      const lane = this.inputs.get(id)?.lane;
      if (typeof lane === 'string') this.#lanes.get(sink)?.delete(lane);
    }
  }

  /** A person has decided how a sink goes on that has gone back. */
  forgo(sink: string, ids: readonly string[]): void {
    for (const id of ids) this.#forgone.add(`${sink} ${id}`);
  }

  /** A row was stored in a sink. */
  row(sink: string, id: string, text: string): void {
    if (this.isClosed) this.#fail('I9', `sink ${sink} gets record ${id} when its pipeline is gone`);
    const rows = this.#rows.get(sink) ?? new Map<string, string>();
    this.#rows.set(sink, rows);
    const input = this.inputs.get(id);
    if (rows.has(id) && input?.mayRepeat !== true) this.#fail('I2', `sink ${sink} has record ${id} twice`);
    rows.set(id, text);
    if (input === undefined) {
      this.#fail('I5', `sink ${sink} has record ${id}, which no source ever had`);
      return;
    }
    this.#compare(sink, input, text);
    if (input.lane === null || input.mayRepeat) return;
    const lanes = this.#lanes.get(sink) ?? new Map<string, number>();
    this.#lanes.set(sink, lanes);
    const last = lanes.get(input.lane) ?? -1;
    if (input.place < last) this.#fail('I3', `sink ${sink} has record ${id} after a later one of ${input.lane}`);
    lanes.set(input.lane, Math.max(last, input.place));
  }

  /** I4 and E9, as soon as the row is there. */
  #compare(sink: string, input: LedgerInput, text: string): void {
    const frames = [...(this.#frames.get(input.id) ?? []), ...(this.#lost.get(input.id) ?? [])];
    if (frames.length === 0) return this.#fail('I5', `sink ${sink} has record ${input.id}, which no frame has`);
    const shapes = frames.map((frame) => this.#shapeOf(frame));
    if (input.isDecided) return;
    if (shapes.some((shape) => fateOf(input, shape).rows.includes(sink) && rowOf(input, shape) === text)) return;
    const [shape] = shapes;
    const what = fateOf(input, shape!).rows.includes(sink)
      ? `"${text}" for "${rowOf(input, shape!)}"`
      : `record ${input.id}, which plan ${shape!.generation} of its frame does not send there`;
    this.#fail('I4', `sink ${sink} has ${what}`);
  }

  letter(letter: DeadLetter, id: string): void {
    const key = `${letter.stage} ${id}`;
    const before = this.#letters.get(key);
    const input = this.inputs.get(id);
    if (before !== undefined && input?.mayRepeat !== true)
      this.#fail('I2', `${letter.stage} has two dead letters of record ${id}`);
    this.#letters.set(key, letter.code);
    if (input === undefined) return this.#fail('I5', `a dead letter holds record ${id}, which no source ever had`);
    const frames = [...(this.#frames.get(id) ?? []), ...(this.#lost.get(id) ?? [])];
    if (frames.length === 0) return;
    this.#comparePlace(letter, input, frames);
    const isDue = frames.some((frame) =>
      fateOf(input, this.#shapeOf(frame)).letters.some(
        ({ stage, code }) => stage === letter.stage && code === letter.code,
      ),
    );
    if (!isDue)
      this.#fail(
        'I4',
        `${letter.stage} has a dead letter ${letter.code} of record ${id} under plan ${frames[0]!.plan}`,
      );
  }

  /** I13: what brings a record back holds its bytes, and names the one record of the edge that it is. */
  #comparePlace(letter: DeadLetter, input: LedgerInput, places: readonly RecordPlace[]): void {
    const { stage, sequence, index, value } = letter;
    if (Buffer.from(value ?? []).toString() !== textOf(input))
      this.#fail('I13', `the dead letter of record ${input.id} in ${stage} does not hold its bytes`);
    if (!places.some((place) => place.sequence === sequence && place.index === index))
      this.#fail('I13', `the dead letter of record ${input.id} in ${stage} names ${sequence ?? 'no frame'}:${index}`);
  }

  /** Of one stage. */
  lettersOf(stage: string): number {
    return [...this.#letters.keys()].filter((key) => key.startsWith(`${stage} `)).length;
  }

  violated(label: string, what: string): void {
    this.#fail(label, what);
  }

  /** When nothing is on its way any more: everything that must be somewhere is there (I1, I7). */
  settle(): Violation[] {
    const missing: Violation[] = [];
    for (const input of this.inputs.values()) {
      const frames = this.#frames.get(input.id);
      if (frames === undefined) {
        if (input.acknowledged) missing.push(new Violation('I1', `record ${input.id} is acknowledged and in no frame`));
        else if (!input.mayBeMissing) missing.push(new Violation('I1', `record ${input.id} was never read`));
        continue;
      }
      for (const frame of frames) missing.push(...this.#missingOf(input, frame));
    }
    return missing;
  }

  /**
   * Before the streams of a deleted pipeline go (I1): what was acknowledged is in a frame, and what is due of it is where it
   * belongs. Not asked for: what was never read, because its source has it still; and frames that came when the sources had
   * stopped, of processes that were dead by then, who told nobody, or on nodes that the cluster has given up.
   */
  settleDeleted({ isDue }: Departure): Violation[] {
    const missing: Violation[] = [];
    for (const input of this.inputs.values()) {
      const frames = this.#frames.get(input.id);
      if (frames === undefined && input.acknowledged)
        missing.push(new Violation('I1', `record ${input.id} is acknowledged and in no frame`));
      if (frames === undefined) continue;
      for (const frame of frames) if (!frame.isLate) missing.push(...this.#missingOf(input, frame, isDue));
    }
    return missing;
  }

  #missingOf(input: LedgerInput, frame: FrameOf, isDue: Departure['isDue'] = () => true): Violation[] {
    const where = `record ${input.id} (${frame.subject}@${frame.sequence})`;
    const { rows, letters } = fateOf(input, this.#shapeOf(frame));
    return [
      ...rows
        .filter((sink) => !this.hasRow(sink, input.id) && !this.#isGivenUp(`sink-${sink}`, input, frame))
        .filter((sink) => !this.#passedOver.has(passing(`sink-${sink}`, input.id, frame)))
        .filter((sink) => !this.#forgone.has(`${sink} ${input.id}`) && isDue(`sink-${sink}`, frame))
        .map((sink) => new Violation('I1', `${where} is not in sink ${sink}`)),
      ...letters
        .filter(({ stage }) => !this.#letters.has(`${stage} ${input.id}`) && !this.#isGivenUp(stage, input, frame))
        .filter(({ stage }) => !this.#passedOver.has(passing(stage, input.id, frame)) && isDue(stage, frame))
        .map(({ stage, code }) => new Violation('I1', `${where} has no dead letter ${code} of ${stage}`)),
    ];
  }

  /** A stage was taken off at once, with what it had not written of frames up to this plan. */
  giveUp(stage: string, generation: number): void {
    this.#givenUp.set(stage, Math.max(generation, this.#givenUp.get(stage) ?? 0));
  }

  #isGivenUp(stage: string, { source }: LedgerInput, { plan }: FrameOf): boolean {
    return plan <= (this.#givenUp.get(stage) ?? 0) || plan <= (this.#givenUp.get(`ingestor-${source}`) ?? 0);
  }

  #shapeOf({ plan }: FrameOf): Shape {
    const shape = this.shapes.get(plan);
    if (shape === undefined) throw new Violation('E9', `a frame names plan ${plan}, which there never was`);
    return shape;
  }

  #fail(label: string, what: string): void {
    this.#onViolation(new Violation(label, what));
  }
}

function placeOf({ subject, sequence }: Place): string {
  return `${subject}@${sequence}`;
}

function passing(stage: string, id: string, frame: FrameOf): string {
  return `${stage} ${id} ${placeOf(frame)}`;
}
