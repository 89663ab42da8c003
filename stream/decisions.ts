/**
 * The questions of slots to a person, and the person's decisions (`model/decision.ts` says what decisions are).
 *
 * D1  A decision answers the questions that were asked under its number before it was made; the order of their common
 *     stream decides. Another loss, or the same one met by another slot later, is another question.
 * D2  Without a decision nothing continues: the slot that asks waits, however long.
 * D3  A decision that no question asks for is refused: it would count for the next loss.
 * D4  A question is stored as long as it is open. The slot that asked removes it when the decision was acted upon, or when
 *     somebody has restored what was lost. A stage or source that leaves takes its questions with it (`./retire.ts`).
 * D5  A slot with a commit log claims it before it asks (`CommitLog.claim`), so its question is about the log's last entry for as
 *     long as it is open, and one about an earlier entry is a former owner's. That one is not stored any more: a pod that had
 *     been frozen between two looks once put its question in the place of an open one, and a drain went on.
 * D6  An edge may grow again between a decision and the slot that acts upon it, and what is lost then looks otherwise. Asked anew,
 *     the slot would give up what had come after the decision. If it has gone back once more, the decision is no answer: nobody
 *     was asked about that. Whether it has, its mark tells (`./decision-mark.ts`).
 * D7  Who waits and finds its question taken back starts again: another owner goes on, or its stage was taken off while its pod
 *     was on a lost node. It once asked anew, in the name of a stage that was no more (seed asked:21870).
 */
import { z } from 'zod';
import { mr } from '../model/errors.ts';
import { decisionChoices, tokenOf, type Decision, type DecisionChoice } from '../model/decision.ts';
import { commitsEdge, decisionSubject, edgeStream, questionSubject } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { changeRecord, decodeRecord, readStored } from './commit-record.ts';
import { isMarkThere, leaveMark, removeEarlierMarks } from './decision-mark.ts';
import type { InEdge } from './edge-room.ts';
import { findStream } from './find-stream.ts';
import { acceptedSchema, type Accepted } from './frame-chain.ts';
import { classifyPublishFailure } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { News } from './news.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

const decisionSchema = z.object({
  number: z.number().int().positive(),
  choice: z.enum(decisionChoices),
  /** Last sequence of the edge at that time: a later loss is another question. Absent if the question is not about an edge. */
  upTo: z.number().int().nonnegative().optional(),
  /** After that the edge has its mark. Absent: from before there were marks, or about a stream that was lost. */
  isMarked: z.literal(true).optional(),
});

export interface TakenDecision {
  readonly number: number;
  readonly choice: DecisionChoice;
  /** Last sequence of the edge when it was made. */
  readonly upTo?: number | undefined;
  readonly isMarked?: true | undefined;
  /** Its sequence in the commits stream: unique, also across a recreated stream. */
  readonly sequence: number;
}

const questionSchema = z.object({
  /** The number of the decision that answers it. */
  number: z.number().int().positive(),
  /** `Question.loss`, under the name that stored questions have. */
  found: z.string(),
  after: z.number().int().nonnegative(),
  until: z.number().int().nonnegative().optional(),
  isOfSink: z.literal(true).optional(),
  isOfPosition: z.literal(true).optional(),
  behind: z.number().int().nonnegative().optional(),
  frame: acceptedSchema.optional(),
});

export async function readDecision(
  streams: JetStreamPort,
  pid: string,
  scope: string,
): Promise<TakenDecision | undefined> {
  const { value, sequence } = await readStored(streams, pid, decisionSubject(pid, scope), decisionSchema);
  return value && { ...value, sequence };
}

/**
 * Stores a decision for the slots that wait. False: no question asks for it, or it is not the next one about its scope.
 * Repeating a decision changes nothing. Throws as {@link leaveMark} does.
 */
export async function noteDecision(
  streams: JetStreamPort,
  { pipeline: { pid }, edges }: Pick<Plan, 'pipeline' | 'edges'>,
  decision: Decision,
): Promise<boolean> {
  const { scope, number: named, choice } = decision;
  const taken = await readDecision(streams, pid, scope);
  if (named !== 'lost' && taken?.number === named) {
    await tidyMarks(streams, pid, scope, taken);
    return taken.choice === choice;
  }
  if (named !== 'lost' && !(await isAsked(streams, pid, { scope, number: named }))) return false;
  const edge = edges.find(({ name }) => name === scope);
  const end = edge && (await endNow(streams, { pid, edge }, named));
  const stored = await changeRecord(streams, pid, decisionSubject(pid, scope), decisionSchema, (now) => {
    const next = (now?.number ?? 0) + 1;
    return named === 'lost' || named === next ? { number: next, choice, ...end } : undefined;
  });
  await tidyMarks(streams, pid, scope, stored);
  return named === 'lost' || (stored?.number === named && stored.choice === choice);
}

/** Once the decision is stored: until then the one before it counts. Seed asked:368. */
async function tidyMarks(
  streams: JetStreamPort,
  pid: string,
  edge: string,
  decision: Pick<TakenDecision, 'upTo' | 'isMarked'> | undefined,
): Promise<void> {
  if (decision?.upTo === undefined || decision.isMarked !== true) return;
  await removeEarlierMarks(streams, { pid, edge }, decision.upTo + 1);
}

/** Where a stream was made anew there is nothing that could go back. Undefined: it is missing. */
async function endNow(
  streams: JetStreamPort,
  at: InEdge,
  number: number | 'lost',
): Promise<Pick<TakenDecision, 'upTo' | 'isMarked'> | undefined> {
  const info = await findStream(streams, edgeStream(at.pid, at.edge.name));
  if (info === undefined) return undefined;
  if (number === 'lost') return { upTo: info.state.last_seq };
  return { upTo: (await leaveMark(streams, at, number)) - 1, isMarked: true };
}

/** D6. Whether the edge, of which this is the last sequence now, has gone back since the decision. */
export async function isOutdated(
  streams: JetStreamPort,
  at: { readonly pid: string; readonly edge: string },
  lastSequence: number,
  { number, upTo, isMarked }: Pick<TakenDecision, 'number' | 'upTo' | 'isMarked'>,
): Promise<boolean> {
  if (upTo === undefined) return false;
  if (isMarked !== true) return lastSequence < upTo;
  return !(await isMarkThere(streams, at, { number, sequence: upTo + 1 }));
}

/** D3. */
async function isAsked(
  streams: JetStreamPort,
  pid: string,
  { scope, number }: { readonly scope: string; readonly number: number },
): Promise<boolean> {
  return (await openQuestions(streams, pid, scope)).some(({ read }) => read().number === number);
}

export interface OpenQuestion {
  readonly scope: string;
  /** Subject tokens: stage and slot, or the one of a writer. */
  readonly who: readonly string[];
  /** Throws MR_FRAME_CORRUPT. */
  readonly read: () => Asked;
}

interface Asked {
  /** Of the decision that answers it. */
  readonly number: number;
  /** As {@link Question.after}. */
  readonly after: number;
}

/** All that are stored; `scope`: an edge or a stage, `*` for any. */
export async function openQuestions(
  streams: JetStreamPort,
  pid: string,
  scope: string,
): Promise<readonly OpenQuestion[]> {
  const stream = edgeStream(pid, commitsEdge);
  const before = questionSubject(pid, scope, '').split('.').length - 1;
  return (await streams.lastOfEach(stream, questionSubject(pid, scope, '>'))).map(({ subject, data, seq }) => {
    const tokens = subject.split('.');
    return {
      scope: tokens[before - 1] ?? '',
      who: tokens.slice(before),
      read: () => decodeRecord(data, questionSchema, stream, seq),
    };
  });
}

export interface Asker {
  readonly streams: JetStreamPort;
  readonly pid: string;
  /** Name of the edge, or of the stage. */
  readonly scope: string;
  /** Subject tokens that name the slot that asks. */
  readonly who: string;
}

export interface Question extends Asker {
  /**
   * What is lost, in words that stay the same as long as the loss does, whatever others write meanwhile. Together with
   * `after` it distinguishes one question of a slot from the next.
   */
  readonly loss: string;
  /** Sequence of the commit or frame in question, which stays the same while the question is open; 0: there is none. */
  readonly after: number;
  /** D5: `after` is the last entry of a commit log that is claimed. */
  readonly hasClaimed?: boolean | undefined;
  /**
   * What was decided about `after` is the answer, whatever the loss looked like then (D6, and K8 of `./sink-position.ts`); but not
   * the decision of that number.
   */
  readonly ofEntry?: { readonly outdated: number | undefined } | undefined;
  /** The frame that does not follow, if that is what is asked about. */
  readonly frame?: Accepted | undefined;
  /** The sequence of the edge at which it was noticed: once the slot has committed that, the question is over. */
  readonly until?: number | undefined;
  /** Once the slot has found its sink in order, the question is over. */
  readonly isOfSink?: boolean | undefined;
  /**
   * The sink has lost what it had committed after this, and `reread` goes on from here, wherever the sink writes by then; 0: from
   * the beginning.
   */
  readonly behind?: number | undefined;
  /** The edge up to the position is lost: the question is over once all of that is there again. */
  readonly isOfPosition?: boolean | undefined;
}

export interface StoredQuestion {
  /** In the commits stream. */
  readonly sequence: number;
  /** As {@link Question.after}. */
  readonly after: number;
  readonly until?: number | undefined;
  readonly isOfSink: boolean;
  readonly isOfPosition: boolean;
  /** As {@link Question.behind}. */
  readonly behind?: number | undefined;
  readonly frame?: Accepted | undefined;
  /** Of the decision that answers it. */
  readonly number: number;
}

/** Read before the slot looks again: a question that another owner asks after that stays when this one is removed. */
export async function storedQuestion({ streams, pid, scope, who }: Asker): Promise<StoredQuestion | undefined> {
  const { value, sequence } = await readStored(streams, pid, questionSubject(pid, scope, who), questionSchema);
  return value && { ...value, sequence, isOfSink: value.isOfSink === true, isOfPosition: value.isOfPosition === true };
}

/** D6. What a person has decided since about what was asked, if that was about this entry of the log. */
export async function answerTo(
  { streams, pid, scope }: Asker,
  asked: StoredQuestion | undefined,
  logSequence: number,
): Promise<TakenDecision | undefined> {
  if (asked === undefined || asked.after !== logSequence) return undefined;
  const decision = await readDecision(streams, pid, scope);
  return isAnswer(decision, asked) ? decision : undefined;
}

/** D1. `sequence`: of the question, in the commits stream. */
function isAnswer(
  decision: TakenDecision | undefined,
  { number, sequence }: Pick<StoredQuestion, 'number' | 'sequence'>,
): decision is TakenDecision {
  return decision?.number === number && sequence < decision.sequence;
}

/** D4. */
export async function takeBack(
  { streams, pid, scope, who }: Asker,
  { sequence }: Pick<StoredQuestion, 'sequence'>,
): Promise<void> {
  const filter = questionSubject(pid, scope, who);
  await streams.purgeStream(edgeStream(pid, commitsEdge), { filter, seq: sequence + 1 });
}

/** D4. `who`: subject tokens of one writer or of all slots of a stage. Removes all their questions. */
export async function forgetQuestions(streams: JetStreamPort, pid: string, who: string): Promise<void> {
  await streams.purgeStream(edgeStream(pid, commitsEdge), { filter: questionSubject(pid, '*', who) });
}

export interface Decided {
  readonly kind: 'decided';
  readonly decision: TakenDecision;
  /** {@link Question.frame} of what was asked. */
  readonly frame: Accepted | undefined;
}

export type Answer =
  | Decided
  /** The question is stored; a person decides under this token. */
  | { readonly kind: 'asked'; readonly token: string };

/**
 * The decision that answers the question (D1). If there is none, the question is stored. Throws MR_OWNERSHIP_LOST when another
 * owner of the slot has asked since (D5), or `hasAsked` and the question is gone (D7).
 */
export async function askFor(question: Question, hasAsked = false): Promise<Answer> {
  const { streams, pid, scope, who, loss, after, until, isOfSink, isOfPosition, behind, hasClaimed, ofEntry, frame } =
    question;
  const subject = questionSubject(pid, scope, who);
  for (;;) {
    const decision = await readDecision(streams, pid, scope);
    const { value: before, sequence: asked } = await readStored(streams, pid, subject, questionSchema);
    const isOthers = before === undefined ? hasAsked : hasClaimed === true && before.after > after;
    if (isOthers) throw mr('MR_OWNERSHIP_LOST', { writer: subject, expected: after });
    const isSame = before?.found === loss && before.after === after;
    const isOfEntry = ofEntry !== undefined && (before?.isOfSink ?? false) === (isOfSink ?? false);
    const isAbout = isSame || (isOfEntry && before?.after === after);
    const answered = isAbout && isAnswer(decision, { number: before.number, sequence: asked });
    if (answered && decision.number !== ofEntry?.outdated) return { kind: 'decided', decision, frame: before.frame };
    const number = (decision?.number ?? 0) + 1;
    const isOpen: Answer = { kind: 'asked', token: tokenOf({ scope, number }) };
    if (isSame && before.number === number) return isOpen;
    const ofWhat = { ...(isOfSink === true ? { isOfSink } : {}), ...(isOfPosition === true ? { isOfPosition } : {}) };
    const text = { number, found: loss, after, until, behind, ...ofWhat, ...(frame === undefined ? {} : { frame }) };
    const stored = await publishQuestion(streams, subject, text, asked);
    if (stored === undefined) continue;
    if (!isAbout || before.number !== number) return isOpen;
    // What was asked before may have been decided before it was replaced.
    const meanwhile = await readDecision(streams, pid, scope);
    if (meanwhile?.number !== number) return isOpen;
    return { kind: 'decided', decision: meanwhile, frame: meanwhile.sequence > stored ? frame : before.frame };
  }
}

/** Its sequence. Undefined: another question was stored meanwhile. */
async function publishQuestion(
  streams: JetStreamPort,
  subject: string,
  question: z.input<typeof questionSchema>,
  asked: number,
): Promise<number | undefined> {
  try {
    return (await streams.publish(subject, JSON.stringify(question), { expectLast: asked })).seq;
  } catch (error) {
    if (classifyPublishFailure(error).kind !== 'wrongSequence') throw error;
    return undefined;
  }
}

export interface Waiting extends Asking {
  /** Called with the token under which a person can decide. */
  readonly ask: (token: string) => void;
  /** Whether what was lost is there again. Looked at now and then. Default: it never is. */
  readonly isRestored?: () => Promise<boolean>;
}

/** Frames are large, and may be many. */
const looksEvery = 2;

/**
 * Waits for the decision that answers the question. Undefined: it is restored. Rejects with the signal's reason, as
 * {@link askFor} does, and with errors that waiting does not cure, such as a record that cannot be read.
 */
export async function awaitDecision(
  question: Question,
  waiting: Waiting,
  signal: AbortSignal,
): Promise<Decided | undefined> {
  const { streams, pid, scope } = question;
  const news = new News(streams, decisionSubject(pid, scope), waiting.clock);
  try {
    for (let round = 1; ; round++) {
      signal.throwIfAborted();
      const answer = await untilAnswered(
        edgeStream(pid, commitsEdge),
        () => askFor(question, round > 1),
        waiting,
        signal,
      );
      if (answer.kind === 'decided') return answer;
      if (round % looksEvery === 0 && (await waiting.isRestored?.()) === true) return undefined;
      waiting.ask(answer.token);
      await news.wait(signal);
    }
  } finally {
    news.close();
  }
}
