/**
 * `--wait`: shows each step as the workflow takes it, until a verdict or the timeout.
 *
 * The lines go to stderr; what a command promises on stdout stays the same with and without `--wait`.
 */
import { settledAt, stillOf, type StillState } from '../client/settled.ts';
import type { StoredPipeline } from '../client/wire.ts';
import { isAsked, outcomeOf, questionIn } from '../model/decision.ts';
import { mr } from '../model/errors.ts';
import { finalizer } from '../model/names.ts';
import { milliseconds } from '../model/quantities.ts';
import type { PipelineStatus } from '../crds/pipeline.ts';
import type { Cluster } from './cluster.ts';
import { CommandFailed, exitCodes } from './exit.ts';
import { follow, type Look } from './follow.ts';
import { changes } from './progress.ts';

export type Verdict =
  /** `holdsMs`: the verdict counts if no other one comes for this long. */
  /** `beside`: what is wrong nevertheless. */
  | { readonly is: 'reached'; readonly message: string; readonly beside?: string; readonly holdsMs?: number }
  | { readonly is: 'refused'; readonly reason: string; readonly message: string; readonly holdsMs?: number }
  /** `others`: what somebody else must do, shown during the wait. */
  | { readonly is: 'waiting'; readonly message: string; readonly others?: string | undefined };

export interface WaitOptions {
  readonly namespace: string;
  readonly name: string;
  /** For the timeout's message: `Running`, `gone`. */
  readonly wanted: string;
  /** `5m`. */
  readonly timeout: string;
  /** The status before the change, which is not printed again. */
  readonly known?: PipelineStatus | undefined;
  readonly judge: (look: Look) => Verdict;
  readonly say: (line: string) => void;
}

export type Reached = Extract<Verdict, { readonly is: 'reached' }>;

/** `paused`; `paused, but its spec is refused (SpecInvalid): …`. */
export function reachedText(what: string, { beside }: Reached): string {
  return beside === undefined ? what.toLowerCase() : `${what.toLowerCase()}, but ${beside}`;
}

/** A verdict that must hold for a while before it counts. */
export class Holding {
  readonly #after: (ms: number, then: () => void) => () => void;
  readonly #held: () => void;
  hasHeld = false;
  #cancel: (() => void) | undefined;

  /** `held`: called when a verdict has held. */
  constructor(held: () => void, after = afterMs) {
    this.#held = () => {
      this.hasHeld = true;
      held();
    };
    this.#after = after;
  }

  see(verdict: Verdict): void {
    if (verdict.is === 'waiting' || verdict.holdsMs === undefined) this.close();
    else this.#cancel ??= this.#after(verdict.holdsMs, this.#held);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

function afterMs(ms: number, then: () => void): () => void {
  const timer = setTimeout(then, ms);
  return () => clearTimeout(timer);
}

/** Resolves with what was reached. Throws when the verdict is a refusal, or MR_WAIT_TIMEOUT. */
export async function waitFor({ kube }: Cluster, options: WaitOptions): Promise<Reached> {
  const { namespace, name, wanted, timeout, judge, say } = options;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), milliseconds(timeout));
  let before = options.known;
  let told: string | undefined;
  let verdict: Verdict = { is: 'waiting', message: 'nothing was heard of it' };
  const holding = new Holding(() => stop.abort());
  try {
    for await (const look of follow(kube, { namespace, name, signal: stop.signal, onError: lostConnection(say) })) {
      const status = look.is === 'there' ? look.pipeline.status : undefined;
      for (const line of changes(before, status)) say(line);
      before = status ?? before;
      verdict = judge(look);
      const others = verdict.is === 'waiting' ? verdict.others : undefined;
      if (others !== undefined && others !== told) say(others);
      told = others;
      holding.see(verdict);
      if (verdict.is !== 'waiting' && verdict.holdsMs === undefined) return concluded(name, verdict);
    }
    if (holding.hasHeld && verdict.is !== 'waiting') return concluded(name, verdict);
    throw mr('MR_WAIT_TIMEOUT', { name, wanted, timeout, state: verdict.message.replace(/\.$/, '') });
  } finally {
    clearTimeout(timer);
    holding.close();
    stop.abort();
  }
}

/** Throws when the verdict is a refusal. */
function concluded(name: string, verdict: Exclude<Verdict, { readonly is: 'waiting' }>): Reached {
  if (verdict.is === 'reached') return verdict;
  const { reason, message } = verdict;
  throw new CommandFailed(exitCodes.invalidConfig, `Pipeline "${name}" was refused (${reason}): ${message}`);
}

/** The verdict on a change of the spec; with `still`, on one that asks for this state, even if the spec is refused. */
export function untilSettled(stored: StoredPipeline, still?: StillState): (look: Look) => Verdict {
  const { uid, generation = 0 } = stored.metadata;
  return (look) => {
    if (look.is === 'gone' || look.pipeline.metadata.uid !== uid) {
      return { is: 'refused', reason: 'Deleted', message: 'someone deleted it meanwhile' };
    }
    // A spec is not carried out during deletion, and a deletion cannot be undone.
    if (look.pipeline.metadata.deletionTimestamp !== undefined)
      return {
        is: 'refused',
        reason: 'Deleting',
        message: `it is being deleted${look.held === undefined ? '' : `; ${look.held}`}`,
      };
    const settled = settledAt(look.pipeline.status, generation, still);
    if (settled.is === 'ready') {
      const { reason, beside } = settled;
      return { is: 'reached', message: reason, ...(beside === undefined ? {} : { beside }) };
    }
    return {
      ...settled,
      message: settled.is === 'waiting' ? `${settled.reason}: ${settled.message}` : settled.message,
    };
  };
}

/**
 * The verdict on a retry. The generation stays the same, so a status is new once it differs from the previous one. A
 * spec that is read and refused again gives the same status: this counts when it has held for a while.
 */
export function untilSettledAgain(stored: StoredPipeline): (look: Look) => Verdict {
  const before = JSON.stringify(stored.status?.conditions ?? []);
  const judge = untilSettled(stored, stillOf(stored.spec.desiredState));
  let isNew = false;
  return (look) => {
    if (look.is === 'there') {
      const { operation, conditions = [] } = look.pipeline.status ?? {};
      isNew ||= operation !== undefined || JSON.stringify(conditions) !== before;
    }
    const verdict = judge(look);
    if (isNew || look.is === 'gone' || verdict.is === 'waiting') return verdict;
    return { ...verdict, holdsMs: calmMs };
  };
}

/** Longer than the interval of reports (10 s) and the time until they are in the status. */
const calmMs = 15_000;

/**
 * The verdict on a decision: its outcome, and then whether the pipeline makes progress. The slots that asked must have
 * continued. A slot that has to ask about a consequence does so within seconds, which ends the wait with its question.
 */
export function untilDecided(stored: StoredPipeline, { token, text }: Decided): (look: Look) => Verdict {
  const judge = untilSettled(stored);
  return (look) => {
    if (look.is === 'gone') return judge(look);
    const { status = {}, metadata } = look.pipeline;
    const outcome = outcomeOf(status, text);
    if (outcome === undefined) return { is: 'waiting', message: `decision "${text}" was not looked at yet` };
    if (outcome.problem !== undefined) throw mr('MR_DECISION_REFUSED', { decision: text, problem: outcome.problem });
    if (isAsked(status, token)) return { is: 'waiting', message: `who asked by ${token} has not gone on yet` };
    const next = questionIn(status);
    if (next !== undefined) throw mr('MR_ASKED_AGAIN', { decision: text, pipeline: metadata.name, question: next });
    const verdict = judge(look);
    return verdict.is === 'reached' ? { ...verdict, holdsMs: calmMs } : verdict;
  };
}

interface Decided {
  readonly token: string;
  /** Value of the annotation. */
  readonly text: string;
}

/** The verdict on a deletion. */
export function untilGone(stored: StoredPipeline): (look: Look) => Verdict {
  return (look) => {
    if (look.is === 'gone' || look.pipeline.metadata.uid !== stored.metadata.uid)
      return { is: 'reached', message: 'gone' };
    const { held, pipeline } = look;
    const isTakenDown = !(pipeline.metadata.finalizers ?? []).includes(finalizer);
    // The last one: Millrace has removed everything that it created.
    if (held !== undefined && isTakenDown)
      return { is: 'waiting', message: held, others: `nothing is left of it but the resource: ${held}` };
    const operation = pipeline.status?.operation;
    const message = operation ? `${operation.type} is at "${operation.step}"` : 'teardown has not begun';
    return {
      is: 'waiting',
      message: operation?.lastError === undefined ? message : `${message}: ${operation.lastError}`,
    };
  };
}

function lostConnection(say: (line: string) => void): (problem: string) => void {
  let last = '';
  return (problem) => {
    if (problem === last) return;
    last = problem;
    say(`the Kubernetes API does not answer (${problem}); trying again`);
  };
}
