/**
 * What slots ask a person, and what a person has decided (model/decision.ts says what decisions are).
 *
 * D1  A decision answers the questions that were asked under its number before it was taken, by the order of the stream in
 *     which both are. Another loss, or the same one met by another slot later, is another question.
 * D2  Nothing goes on without one: the slot that asks waits for it, however long.
 * D3  A decision that nobody has asked for is refused: it would count for the next loss.
 * D4  A question is stored as long as it is one. Whoever asked takes it back when it is decided and acted upon, and when
 *     somebody has put right what was lost. With a stage or a source that leaves its questions go (`./retire.ts`).
 */
import { z } from 'zod';
import { decisionChoices, tokenOf, type Decision, type DecisionChoice } from '../model/decision.ts';
import { commitsEdge, decisionSubject, edgeStream, questionSubject } from '../model/names.ts';
import { changeRecord, decodeRecord, readStored } from './commit-record.ts';
import { findStream } from './find-stream.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { News } from './news.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

const decisionSchema = z.object({
  number: z.number().int().positive(),
  choice: z.enum(decisionChoices),
  /** Of the edge, when it was decided: what comes after that it does not cover. Absent where no edge is in question. */
  upTo: z.number().int().nonnegative().optional(),
});

export interface TakenDecision {
  readonly number: number;
  readonly choice: DecisionChoice;
  /** Last sequence of the edge when it was taken. */
  readonly upTo?: number | undefined;
  /** Its sequence in the stream of the commits, which no other decision has, also when that stream was made again. */
  readonly sequence: number;
}

const questionSchema = z.object({
  /** Of the decision that answers it. */
  number: z.number().int().positive(),
  /** What is lost. */
  found: z.string(),
  after: z.number().int().nonnegative(),
  until: z.number().int().nonnegative().optional(),
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
 * Notes it for those who wait. False: nobody asks for it, or it is not the next one about its scope. The same decision
 * again is no news.
 */
export async function noteDecision(streams: JetStreamPort, pid: string, decision: Decision): Promise<boolean> {
  const { scope, number: named, choice } = decision;
  const taken = await readDecision(streams, pid, scope);
  if (named !== 'lost' && taken?.number === named) return taken.choice === choice;
  // Undefined: the scope is no edge, or its stream is gone.
  const upTo = (await findStream(streams, edgeStream(pid, scope)))?.state.last_seq;
  if (named !== 'lost' && !(await isAsked(streams, pid, { scope, number: named }))) return false;
  const stored = await changeRecord(streams, pid, decisionSubject(pid, scope), decisionSchema, (now) => {
    const next = (now?.number ?? 0) + 1;
    return named === 'lost' || named === next
      ? { number: next, choice, ...(upTo === undefined ? {} : { upTo }) }
      : undefined;
  });
  return named === 'lost' || (stored?.number === named && stored.choice === choice);
}

/** D3. */
async function isAsked(
  streams: JetStreamPort,
  pid: string,
  { scope, number }: { readonly scope: string; readonly number: number },
): Promise<boolean> {
  const stream = edgeStream(pid, commitsEdge);
  const asked = await streams.lastOfEach(stream, questionSubject(pid, scope, '>'));
  return asked.some(({ data, seq }) => decodeRecord(data, questionSchema, stream, seq).number === number);
}

export interface Asker {
  readonly streams: JetStreamPort;
  readonly pid: string;
  /** Name of the edge, or of the stage. */
  readonly scope: string;
  /** Tokens of a subject: the slot that asks. */
  readonly who: string;
}

export interface Question extends Asker {
  /**
   * What is lost, in words that stay while it is the same loss, whatever others write meanwhile: with `after` it tells one
   * question of a slot from the next.
   */
  readonly loss: string;
  /** Sequence of what is in question, and does not change while it is: a commit, or a frame; 0: there is none. */
  readonly after: number;
  /** It was met at this sequence of the edge: that it is over shows when the slot has committed that. */
  readonly until?: number | undefined;
}

export interface StoredQuestion {
  /** In the stream of the commits. */
  readonly sequence: number;
  readonly until?: number | undefined;
}

/** Read before whoever asked looks again: what is asked after that, by another owner, stays when it takes this back. */
export async function storedQuestion({ streams, pid, scope, who }: Asker): Promise<StoredQuestion | undefined> {
  const { value, sequence } = await readStored(streams, pid, questionSubject(pid, scope, who), questionSchema);
  return value && { sequence, until: value.until };
}

/** D4. */
export async function takeBack({ streams, pid, scope, who }: Asker, { sequence }: StoredQuestion): Promise<void> {
  const filter = questionSubject(pid, scope, who);
  await streams.purgeStream(edgeStream(pid, commitsEdge), { filter, seq: sequence + 1 });
}

/** D4. `who`: tokens of a subject, of all slots of a stage or one writer; whatever they asked about. */
export async function forgetQuestions(streams: JetStreamPort, pid: string, who: string): Promise<void> {
  await streams.purgeStream(edgeStream(pid, commitsEdge), { filter: questionSubject(pid, '*', who) });
}

export type Answer =
  | { readonly kind: 'decided'; readonly decision: TakenDecision }
  /** It is stored now; the token is that under which a person can decide. */
  | { readonly kind: 'asked'; readonly token: string };

/** The decision that answers the question (D1), or what a person can decide. */
export async function askFor({ streams, pid, scope, who, loss, after, until }: Question): Promise<Answer> {
  const subject = questionSubject(pid, scope, who);
  const { value: decision, sequence: decided } = await readStored(
    streams,
    pid,
    decisionSubject(pid, scope),
    decisionSchema,
  );
  const { value: before, sequence: asked } = await readStored(streams, pid, subject, questionSchema);
  const isSame = before?.found === loss && before.after === after;
  if (isSame && decision?.number === before.number && asked < decided) {
    return { kind: 'decided', decision: { ...decision, sequence: decided } };
  }
  const number = (decision?.number ?? 0) + 1;
  if (!isSame || before.number !== number) {
    await streams.publish(subject, JSON.stringify({ number, found: loss, after, until }));
  }
  return { kind: 'asked', token: tokenOf({ scope, number }) };
}

export interface Waiting extends Asking {
  /** Told the token under which a person can decide. */
  readonly ask: (token: string) => void;
}

/**
 * Waits for the decision that answers the question. Rejects with the signal's reason, and with what no waiting mends, such
 * as a record that cannot be read.
 */
export async function awaitDecision(question: Question, waiting: Waiting, signal: AbortSignal): Promise<TakenDecision> {
  const { streams, pid, scope } = question;
  const news = new News(streams, decisionSubject(pid, scope), waiting.clock);
  try {
    for (;;) {
      signal.throwIfAborted();
      const answer = await untilAnswered(edgeStream(pid, commitsEdge), () => askFor(question), waiting, signal);
      if (answer.kind === 'decided') return answer.decision;
      waiting.ask(answer.token);
      await news.wait(signal);
    }
  } finally {
    news.close();
  }
}
