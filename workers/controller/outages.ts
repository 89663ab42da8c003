/**
 * What has failed for a while in one pipeline, and what of it must be told as an Event. Pure but for what it remembers.
 *
 * U1  An outage is a reason, whichever and however many conditions have it (`isOutage` of the table of conditions). Its
 *     beginning is told when it has lasted for `lastingMs`, its end when it has been away for as long.
 * U2  While nothing changes nothing is told; another text is no change.
 * U3  Each beginning and end has a name of its own, made of the status: one that a controller before this one has told is
 *     not told again, and an outage that ended while none was up is told to be over.
 * U4  What nobody knows ends nothing: a pod that connects, or is not heard, may still fail.
 * U5  However much comes and goes, there are at most ten Events at once, and then one in five minutes. What is left out is the
 *     coming and going in between: the state that lasts is told when there is room.
 * U6  Who writes a condition of the lifecycle tells of it, and who tells that an entity cannot be told tells of that.
 */
import { conditionsOf, inOrder, isOutage, isWell, type Claim } from '../../model/conditions.ts';
import type { PipelineStatus } from '../../model/status.ts';
import { WritePace } from './write-pace.ts';

export interface OutageNews {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** Condition that has the reason. */
  readonly about: string;
  readonly note: string;
  /** U3. */
  readonly key: string;
}

interface Outage {
  readonly about: string;
  /** As the status has it, once it is written there (U3). */
  since: string;
  readonly seenAt: number;
  message: string;
  /** `before`: by a controller before this one, if it came to that. */
  told: 'no' | 'before' | 'yes';
  isPresent: boolean;
  goneAt: number | undefined;
}

const lastingMs = 30_000;
/** U5. */
const paceOfEvents = { burst: 10, refillMs: 300_000, betweenMs: 0 };
const never = Number.POSITIVE_INFINITY;

export interface OutageInput {
  readonly claims: readonly Claim[];
  readonly status: PipelineStatus;
  /** Reasons that are told by others (U6). */
  readonly toldElsewhere: readonly string[];
}

export class Outages {
  readonly #open = new Map<string, Outage>();
  #claims: readonly Claim[] = [];
  #isSeeded = false;
  readonly #pace = new WritePace(paceOfEvents);

  /** What is said now. Cheap: called with every look. */
  observe({ claims, status, toldElsewhere }: OutageInput, now: number): void {
    if (!this.#isSeeded) this.#seed(status, now);
    this.#claims = claims;
    const present = new Map<string, Claim>();
    for (const claim of inOrder(claims)) {
      if (isOutage(claim) && !present.has(claim.reason)) present.set(claim.reason, claim);
    }
    for (const reason of lifecycleReasons(status)) present.delete(reason);
    for (const [reason, { type, message }] of present) {
      const open = this.#open.get(reason);
      const stands = sinceOf(status, type);
      if (open === undefined) {
        const told = toldElsewhere.includes(reason) ? 'yes' : 'no';
        const since = stands ?? new Date(now).toISOString();
        this.#open.set(reason, { about: type, since, seenAt: now, message, told, isPresent: true, goneAt: undefined });
      } else {
        const since = open.told === 'no' && stands !== undefined ? stands : open.since;
        Object.assign(open, { message, since, isPresent: true, goneAt: undefined });
      }
    }
    const isClear = claims.every((claim) => claim.status !== 'Unknown' || isWell(claim) || isOutage(claim));
    for (const [reason, open] of this.#open) {
      if (present.has(reason)) continue;
      if (open.told === 'no' && isClear) this.#open.delete(reason);
      Object.assign(open, { isPresent: false, goneAt: isClear ? (open.goneAt ?? now) : undefined });
    }
  }

  /** When there is something to tell; infinity: nothing, until something changes. */
  dueAt(now: number): number {
    const due = Math.min(never, ...[...this.#open.values()].map(dueOf));
    return due === never ? never : Math.max(due, this.#pace.nextAt(now));
  }

  /** The next to tell; it counts as told. */
  next(now: number): OutageNews | undefined {
    if (this.dueAt(now) > now) return undefined;
    for (const [reason, open] of this.#open) {
      if (dueOf(open) > now) continue;
      this.#pace.wrote(now);
      const { about, since, message, goneAt, seenAt } = open;
      const key = `${about}/${since}`;
      if (goneAt === undefined) {
        open.told = 'yes';
        return { type: 'Warning', reason, about, note: message, key };
      }
      this.#open.delete(reason);
      const instead = this.#claims.find(({ type }) => type === about);
      const note = `${reason} is over after ${durationText(goneAt - seenAt)}. ${instead?.message ?? ''}`.trim();
      return { type: 'Normal', reason: 'OutageOver', about, note, key: `${reason}/${key}` };
    }
    return undefined;
  }

  /** U3. */
  #seed(status: PipelineStatus, now: number): void {
    this.#isSeeded = true;
    const own: readonly string[] = conditionsOf('controller');
    for (const { type, reason, message, lastTransitionTime: since, ...rest } of inOrder(status.conditions ?? [])) {
      const seenAt = Date.parse(since);
      if (!own.includes(type) || !isOutage({ type, reason, ...rest }) || now - seenAt < lastingMs) continue;
      if (this.#open.has(reason)) continue;
      this.#open.set(reason, {
        about: type,
        since,
        seenAt,
        message,
        told: 'before',
        isPresent: false,
        goneAt: undefined,
      });
    }
  }
}

function dueOf({ told, isPresent, goneAt, seenAt }: Outage): number {
  if (goneAt !== undefined) return told === 'no' ? never : goneAt + lastingMs;
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

function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
