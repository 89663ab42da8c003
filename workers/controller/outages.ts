/**
 * The outages of one pipeline, and which of them to report as an Event. Pure but for what it remembers.
 *
 * U1  An outage is a reason, whichever and however many conditions have it (`isOutage` of the table of conditions). Its
 *     start is reported when it has lasted for `lastingMs`, its end when its condition has been well for as long.
 * U2  While nothing changes, nothing is reported; another message with the same reason is no change.
 * U3  Each start and end has its own Event name, made of its time. A start has the time that the status has, if any: so
 *     a start that an earlier controller reported is not reported again, and an outage that ended while no controller
 *     ran is reported as over.
 * U4  Not knowing does not end an outage: a pod that is connecting or silent may still fail, so may what a pause has
 *     stopped, and another reason of the same condition may hide this one.
 * U5  There are at most ten Events at once, then one in five minutes. Short changes in between are left out; a state
 *     that lasts is reported as soon as the limit allows.
 * U6  Conditions of the lifecycle are reported where they are written, and a failed notification of the entity where it
 *     fails.
 * U7  A condition that fails for `lastingMs` is reported even if its reason keeps changing: with the reason it has
 *     then.
 */
import { conditionsOf, inOrder, isKnownWell, isOutage, isWell, type Claim } from '../../model/conditions.ts';
import type { PipelineStatus } from '../../model/status.ts';
import { durationText } from '../../model/text.ts';
import { WritePace } from './write-pace.ts';

export interface OutageNews {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** The condition that has the reason. */
  readonly about: string;
  readonly note: string;
  /** U3. */
  readonly key: string;
}

interface Outage {
  readonly about: string;
  /** U3: the time in the status, once it is written there. */
  since: string;
  /** When it started, or when its condition started to fail unreported (U7). */
  seenAt: number;
  message: string;
  /** `before`: an earlier controller may have reported it. */
  told: 'no' | 'before' | 'yes';
  isPresent: boolean;
  /** When the conditions stopped having this reason. */
  leftAt: number | undefined;
  /** Since when its condition is known to be well; undefined: it is not. */
  wellAt: number | undefined;
}

/** A condition with one outage after another, never known to be well in between (U7). */
interface Failing {
  readonly since: number;
  isTold: boolean;
}

const lastingMs = 30_000;
/** U5. */
const paceOfEvents = { burst: 10, refillMs: 300_000, betweenMs: 0 };
const never = Number.POSITIVE_INFINITY;

export interface OutageInput {
  readonly claims: readonly Claim[];
  readonly status: PipelineStatus;
  /** Reasons that are reported elsewhere (U6). */
  readonly toldElsewhere: readonly string[];
}

export class Outages {
  readonly #open = new Map<string, Outage>();
  readonly #failing = new Map<string, Failing>();
  #claims: readonly Claim[] = [];
  #isSeeded = false;
  readonly #pace = new WritePace(paceOfEvents);

  /** Takes in the present claims. Cheap: called at every look. */
  observe({ claims, status, toldElsewhere }: OutageInput, now: number): void {
    if (!this.#isSeeded) this.#seed(status, now);
    this.#claims = claims;
    const elsewhere = lifecycleReasons(status);
    const outages = inOrder(claims).filter((claim) => isOutage(claim) && !elsewhere.includes(claim.reason));
    for (const { type } of outages) {
      if (!this.#failing.has(type)) this.#failing.set(type, { since: now, isTold: false });
    }
    const present = new Map<string, Claim>();
    for (const claim of outages) if (!present.has(claim.reason)) present.set(claim.reason, claim);
    for (const [reason, claim] of present) {
      const isTold = toldElsewhere.includes(reason);
      this.#present(claim, { isTold, stands: sinceOf(status, this.#open.get(reason)?.about ?? claim.type) }, now);
    }
    for (const [reason, open] of this.#open) if (!present.has(reason)) this.#absent(reason, open, now);
    for (const claim of claims) if (isKnownWell(claim)) this.#failing.delete(claim.type);
  }

  #present(
    { type, reason, message }: Claim,
    status: { isTold: boolean; stands: string | undefined },
    now: number,
  ): void {
    const open = this.#open.get(reason) ?? newOutage(type, message, now);
    if (!this.#open.has(reason)) {
      this.#open.set(reason, open);
      if (status.isTold) open.told = 'yes';
    }
    if (open.told !== 'no') this.#toldOf(reason);
    else {
      open.seenAt = Math.min(open.seenAt, ...this.#failingOf(reason).flatMap((one) => (one.isTold ? [] : [one.since])));
      // A transition from before the condition failed, such as from Idle, is not the start of this outage.
      const began = this.#failing.get(open.about)?.since ?? open.seenAt;
      const { stands } = status;
      open.since = stands !== undefined && isSince(stands, began) ? stands : new Date(open.seenAt).toISOString();
    }
    Object.assign(open, { message, isPresent: true, leftAt: undefined, wellAt: undefined });
  }

  /** U4. */
  #absent(reason: string, open: Outage, now: number): void {
    const claim = this.#claims.find(({ type }) => type === open.about);
    if (claim === undefined) return;
    const isWellNow = isKnownWell(claim);
    if (open.told === 'no' && (isWellNow || isOutage(claim))) this.#open.delete(reason);
    open.isPresent = false;
    open.leftAt ??= now;
    open.wellAt = isWellNow ? (open.wellAt ?? now) : undefined;
  }

  #failingOf(reason: string): readonly Failing[] {
    return this.#claims.flatMap((claim) => (claim.reason === reason ? (this.#failing.get(claim.type) ?? []) : []));
  }

  #toldOf(reason: string): void {
    for (const failing of this.#failingOf(reason)) failing.isTold = true;
  }

  /** When there is something to report; Infinity: not before something changes. */
  dueAt(now: number): number {
    const due = Math.min(never, ...[...this.#open.values()].map(dueOf));
    return due === never ? never : Math.max(due, this.#pace.nextAt(now));
  }

  /** The next Event to emit, which then counts as emitted; undefined: none is due. */
  next(now: number): OutageNews | undefined {
    if (this.dueAt(now) > now) return undefined;
    for (const [reason, open] of this.#open) {
      if (dueOf(open) > now) continue;
      this.#pace.wrote(now);
      const { about, since, message, leftAt, wellAt, seenAt } = open;
      const key = `${about}/${since}`;
      if (wellAt === undefined) {
        open.told = 'yes';
        this.#toldOf(reason);
        return { type: 'Warning', reason, about, note: message, key };
      }
      this.#open.delete(reason);
      const instead = this.#claims.find(({ type }) => type === about);
      const note =
        `${reason} is over after ${durationText((leftAt ?? wellAt) - seenAt)}. ${instead?.message ?? ''}`.trim();
      const ended = new Date(wellAt).toISOString();
      return { type: 'Normal', reason: 'OutageOver', about, note, key: `${reason}/${key}/${ended}` };
    }
    return undefined;
  }

  /** U3. */
  #seed(status: PipelineStatus, now: number): void {
    this.#isSeeded = true;
    const own: readonly string[] = conditionsOf('controller');
    const elsewhere = lifecycleReasons(status);
    for (const { type, reason, message, lastTransitionTime: since, ...rest } of inOrder(status.conditions ?? [])) {
      const seenAt = Math.min(now, Date.parse(since));
      if (!own.includes(type) || elsewhere.includes(reason) || !isOutage({ type, reason, ...rest })) continue;
      const isLasting = now - seenAt >= lastingMs;
      this.#failing.set(type, { since: seenAt, isTold: isLasting });
      if (!isLasting || this.#open.has(reason)) continue;
      this.#open.set(reason, { ...newOutage(type, message, seenAt), since, told: 'before', isPresent: false });
    }
  }
}

function newOutage(about: string, message: string, seenAt: number): Outage {
  const since = new Date(seenAt).toISOString();
  return { about, since, seenAt, message, told: 'no', isPresent: true, leftAt: undefined, wellAt: undefined };
}

function dueOf({ told, isPresent, wellAt, seenAt }: Outage): number {
  if (wellAt !== undefined) return told === 'no' ? never : wellAt + lastingMs;
  return told !== 'yes' && isPresent ? seenAt + lastingMs : never;
}

function lifecycleReasons({ conditions = [] }: PipelineStatus): readonly string[] {
  const own: readonly string[] = conditionsOf('lifecycle');
  return conditions.flatMap((condition) =>
    own.includes(condition.type) && !isWell(condition) ? [condition.reason] : [],
  );
}

/** Of the condition as it stands in the status, if it is that outage. */
function sinceOf({ conditions = [] }: PipelineStatus, type: string): string | undefined {
  const stands = conditions.find((condition) => condition.type === type);
  return stands === undefined || !isOutage(stands) ? undefined : stands.lastTransitionTime;
}

/** The status may have times to the second. */
function isSince(time: string, began: number): boolean {
  return Date.parse(time) >= Math.floor(began / 1_000) * 1_000;
}
