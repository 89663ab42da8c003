/**
 * What a person decides when Millrace must not go on by itself: a token that an error names, and one of two words.
 *
 * T1  A token names what is decided about (an edge, or a stage) and the how-manieth decision about it this is. So a
 *     decision counts once, and one that was taken for something else changes nothing.
 */

/**
 * - `accept-loss`  go on with what comes next: nothing is written twice, what is missing is given up
 * - `reread`       read everything that is there again: nothing that is there is missed, records may be written twice
 */
export const decisionChoices = ['accept-loss', 'reread'] as const;
export type DecisionChoice = (typeof decisionChoices)[number];

export interface Decision {
  /** Name of an edge, or of a stage. */
  readonly scope: string;
  /** 1: the first about this scope. */
  readonly number: number;
  readonly choice: DecisionChoice;
}

export function tokenOf({ scope, number }: Pick<Decision, 'scope' | 'number'>): string {
  return `${scope}.${number}`;
}

/** `records.1=accept-loss`: the value of the annotation. */
export function decisionText(decision: Decision): string {
  return `${tokenOf(decision)}=${decision.choice}`;
}

/** Undefined: it does not read as a decision. */
export function parseDecision(text: string): Decision | undefined {
  const [, scope, number, choice] = /^([a-z][-a-z0-9]{0,62})\.([1-9][0-9]{0,8})=([a-z-]+)$/.exec(text.trim()) ?? [];
  const known = decisionChoices.find((one) => one === choice);
  if (scope === undefined || number === undefined || known === undefined) return undefined;
  return { scope, number: Number(number), choice: known };
}
