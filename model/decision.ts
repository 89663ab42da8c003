/**
 * A person's decision where Millrace must not continue by itself: a token that an error names, and one of two words.
 *
 * T1  A token names the scope and the ordinal number of the decision about it. So a decision counts once, and one
 *     that was made about something else changes nothing.
 * T2  `lost` instead of the number is about a stream that is gone, and counts as long as it is gone.
 */
import type { DecisionStatus, PipelineStatus } from './status.ts';

/**
 * - `accept-loss`  readers continue with what arrives next, and what is missing is given up
 * - `reread`       readers read everything again that still exists, so records may be written twice
 *
 * A writer whose frames are gone has lost its position: with either choice its source is read again from what is
 * left, and what sinks had taken since then is written twice.
 */
export const decisionChoices = ['accept-loss', 'reread'] as const;
export type DecisionChoice = (typeof decisionChoices)[number];

export interface Decision {
  /** Name of an edge, of a stage, or `commits` or `dead` for those streams. */
  readonly scope: string;
  /** 1: the first decision about this scope. */
  readonly number: number | 'lost';
  readonly choice: DecisionChoice;
}

export function tokenOf({ scope, number }: Pick<Decision, 'scope' | 'number'>): string {
  return `${scope}.${number}`;
}

/** `records.1=accept-loss`, the value of the annotation; with a note, `records.1=accept-loss@2026-01-31T09-30-00Z`. */
export function decisionText(decision: Decision, note?: string): string {
  return `${tokenOf(decision)}=${decision.choice}${note === undefined ? '' : `@${note}`}`;
}

const pattern = /^([a-z][-a-z0-9]{0,62})\.([1-9][0-9]{0,8}|lost)=([a-z-]+)(@[-.:0-9A-Za-z]{1,64})?$/;

/** Undefined: it is not the text of a decision. */
export function parseDecision(text: string): Decision | undefined {
  const [, scope, number, choice] = pattern.exec(text.trim()) ?? [];
  const known = decisionChoices.find((one) => one === choice);
  if (scope === undefined || number === undefined || known === undefined) return undefined;
  return { scope, number: number === 'lost' ? number : Number(number), choice: known };
}

/** The outcome of the decision with this text; undefined: it is still pending. */
export function outcomeOf({ decision }: PipelineStatus, text: string): DecisionStatus | undefined {
  return decision?.text === text ? decision : undefined;
}

/** Whether something in the status asks for it: a decision that nothing waits for would apply to the next loss. */
export function isAsked({ conditions = [], operation }: PipelineStatus, token: string): boolean {
  const said = [...conditions.map(({ message }) => message), operation?.lastError ?? ''];
  return said.some((text) => text.includes(` ${token} `));
}

/** The question to a person that the pipeline asks, if any. */
export function questionIn({ conditions = [], operation }: PipelineStatus): string | undefined {
  return [...conditions.map(({ message }) => message), operation?.lastError ?? ''].find((text) => asking.test(text));
}

const asking = /\bmillrace decide \S+ (?:-n \S+ )?\S+\.(?:[1-9][0-9]*|lost) (?:accept-loss|reread)\b/;
