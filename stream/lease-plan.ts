/**
 * Which pod should hold which slot. Pure: every pod computes it from what it sees; as all see the same, they agree.
 *
 * L1  The shares of all live pods add up to the number of slots and differ by at most one.
 */
export interface LeaseView {
  /** Slot → pod that holds it. Absent: free. */
  readonly holders: ReadonlyMap<number, string>;
  /** Pods that are alive, whether or not this one is among them. */
  readonly pods: ReadonlySet<string>;
}

export interface LeaseMoves {
  readonly take: readonly number[];
  readonly give: readonly number[];
}

export function planLeases(view: LeaseView, me: string, slots: number, held: readonly number[]): LeaseMoves {
  const pods = [...new Set([...view.pods, me])].sort();
  const rank = pods.indexOf(me);
  const share = Math.floor(slots / pods.length) + (rank < slots % pods.length ? 1 : 0);
  if (held.length >= share) return { take: [], give: [...held].sort((a, b) => a - b).slice(share) };
  // Each pod starts its search at a different slot, so that pods that start together seldom reach for the same one.
  const first = Math.floor((rank * slots) / pods.length);
  const free = Array.from({ length: slots }, (_, index) => (first + index) % slots).filter(
    (slot) => !view.holders.has(slot) && !held.includes(slot),
  );
  return { take: free.slice(0, share - held.length), give: [] };
}
