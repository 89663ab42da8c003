/**
 * What a commit log says of where a sink writes.
 *
 * G1  Two names are of one target exactly if its address is the same, whatever is hidden in them: a Secret may get
 *     another value under the same reference, and a value another reference.
 * G2  An address in which nothing is hidden is its own name. So are those in entries of before names were made, also
 *     where something is hidden in the address by now.
 */
import { createHash } from 'node:crypto';

/** Behind an address in which something is hidden: of which address it is the name. */
const digest = / #([0-9a-f]{16})$/;

export function targetName(address: string, hide: (text: string) => string): string {
  const shown = hide(address);
  return shown === address ? address : `${shown} #${digestOf(address)}`;
}

export function isSameTarget(one: string, other: string): boolean {
  return one === other || identityOf(one) === identityOf(other);
}

/** Where a batch was started, when the sink writes elsewhere now. */
export function otherTargetOf(
  begun: { readonly target?: string | undefined },
  target: string | undefined,
): string | undefined {
  if (begun.target === undefined || target === undefined) return undefined;
  return isSameTarget(begun.target, target) ? undefined : begun.target;
}

/** What was noted under a name of this target. */
export function ofTarget<T>(noted: Readonly<Record<string, T>>, target: string): T | undefined {
  return Object.entries(noted).find(([name]) => isSameTarget(name, target))?.[1];
}

function identityOf(name: string): string {
  return digest.exec(name)?.[1] ?? digestOf(name);
}

function digestOf(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 16);
}
