/**
 * What has to be made anew, and what can go. Pure.
 *
 * R1  At two thirds of its life a certificate is made anew: the last third is for whoever must mend what keeps it from that.
 * R2  A new authority is first told to the API servers, and signs only when that has had time to reach all of them.
 * R3  An authority is forgotten when nobody serves anything that it has signed.
 * R4  R2 does not hold for who has nothing to serve: it cannot become worse.
 */
import type { Certificate, Kept, Leaf } from './kept.ts';

const dayMs = 86_400_000;
export const authorityLifeMs = 365 * dayMs;
export const leafLifeMs = 30 * dayMs;
/** Clocks of other machines may be behind. */
export const backdateMs = 300_000;
/** API servers and controllers follow within seconds. */
const heardOfMs = 60_000;
const forgottenMs = 3_600_000;

export interface Renewal {
  readonly makeAuthority: boolean;
  readonly makeLeaf: boolean;
  /** In order. */
  readonly keep: readonly Certificate[];
}

export interface RenewalInput {
  readonly now: number;
  readonly kept: Kept;
  /** Fingerprints of the authorities that the configuration names; undefined: there is no configuration. */
  readonly told: ReadonlySet<string> | undefined;
}

export function renewalOf({ now, kept, told }: RenewalInput): Renewal {
  const { leaf, signingKey } = kept;
  const newest = kept.authorities.at(-1);
  const isUsable = leaf?.issuer !== undefined && leaf.isForAll && now < leaf.until;
  const keep = kept.authorities.filter((one) => now < one.until && (one === newest || isNeeded(one, leaf, now)));
  // R1.
  if (newest === undefined || signingKey === undefined || now >= dueAt(newest))
    return { makeAuthority: true, makeLeaf: !isUsable, keep };
  const isHeardOf = (told?.has(newest.fingerprint) ?? true) && now >= madeAt(newest) + heardOfMs;
  // R2, R4.
  const makeLeaf = !isUsable || (now >= dueAt(leaf) && isHeardOf);
  return { makeAuthority: false, makeLeaf, keep };
}

/** R1. */
function dueAt({ from, until }: Certificate): number {
  return from + ((until - from) * 2) / 3;
}

function madeAt({ from }: Certificate): number {
  return from + backdateMs;
}

/** R3. */
function isNeeded(authority: Certificate, leaf: Leaf | undefined, now: number): boolean {
  return leaf === undefined || leaf.issuer === authority.fingerprint || now < madeAt(leaf) + forgottenMs;
}
