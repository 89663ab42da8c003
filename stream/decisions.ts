/**
 * Decisions of a person, as slots wait for them (model/decision.ts says what they are).
 *
 * D1  A decision covers what was committed before it was taken, by the order of the stream in which both are: a slot
 *     that acts on it writes its next commit after it, so a later finding needs another decision.
 * D2  Nothing goes on without one: the slot that asks waits for it, however long.
 */
import { z } from 'zod';
import { decisionChoices, tokenOf, type Decision, type DecisionChoice } from '../model/decision.ts';
import { commitsEdge, decisionSubject, edgeStream } from '../model/names.ts';
import { backoffMs, natsBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { changeRecord, decodeRecord } from './commit-record.ts';
import { isConnectionClosed, isStreamNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { News } from './news.ts';

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
  /** Its sequence in the stream of the commits (D1). */
  readonly sequence: number;
}

export async function readDecision(
  streams: JetStreamPort,
  pid: string,
  scope: string,
): Promise<TakenDecision | undefined> {
  const stream = edgeStream(pid, commitsEdge);
  const stored = await streams.getMessage(stream, { last_by_subj: decisionSubject(pid, scope) });
  if (stored === null) return undefined;
  return { ...decodeRecord(stored.data, decisionSchema, stream, stored.seq), sequence: stored.seq };
}

/** Notes it for those who wait. False: it is not the next one about its scope. The same decision again is no news. */
export async function noteDecision(streams: JetStreamPort, pid: string, decision: Decision): Promise<boolean> {
  const { scope, number: named, choice } = decision;
  const upTo = await lastSequenceOf(streams, edgeStream(pid, scope));
  const stored = await changeRecord(streams, pid, decisionSubject(pid, scope), decisionSchema, (now) => {
    const next = (now?.number ?? 0) + 1;
    return named === 'lost' || named === next
      ? { number: next, choice, ...(upTo === undefined ? {} : { upTo }) }
      : undefined;
  });
  return named === 'lost' || (stored?.number === named && stored.choice === choice);
}

/** Undefined: the scope is no edge, or its stream is gone. */
async function lastSequenceOf(streams: JetStreamPort, stream: string): Promise<number | undefined> {
  try {
    return (await streams.streamInfo(stream)).state.last_seq;
  } catch (error) {
    if (isStreamNotFound(error)) return undefined;
    throw error;
  }
}

export interface Question {
  readonly streams: JetStreamPort;
  readonly pid: string;
  /** Name of the edge, or of the stage. */
  readonly scope: string;
  /** Sequence, in the stream of the commits, of the entry that is in question: an earlier decision does not cover it. */
  readonly after: number;
  /** Told the token under which a person can decide. */
  readonly ask: (token: string) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Waits for a decision that covers the question. Rejects with the signal's reason. */
export async function awaitDecision(question: Question, signal: AbortSignal): Promise<TakenDecision> {
  const { streams, pid, scope, after, ask, clock, random } = question;
  const news = new News(streams, decisionSubject(pid, scope), clock);
  try {
    for (let failures = 0; ;) {
      signal.throwIfAborted();
      try {
        const decision = await readDecision(streams, pid, scope);
        if (decision !== undefined && decision.sequence > after) return decision;
        ask(tokenOf({ scope, number: (decision?.number ?? 0) + 1 }));
        failures = 0;
      } catch (error) {
        if (isConnectionClosed(error)) throw error;
        // nats-server is away: that it is, others tell.
        await clock.sleep(backoffMs(natsBackoff, failures++, random), signal);
        continue;
      }
      await news.wait(signal);
    }
  } finally {
    news.close();
  }
}
