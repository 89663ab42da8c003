/**
 * A sink whose position is ahead of its log (K11 of `./sink-position.ts`): whether the edge still has what that rests on.
 */
import { headsIn, headsText, lastIn, rangeIn, type NamedRange } from './batch-token.ts';
import type { Intent } from './commit-entry.ts';
import type { CommitLog } from './commit-log.ts';
import type { Heads } from './frame-chain.ts';
import type { StoredPosition } from './sink-port.ts';
import { begunIn, type Believed } from './sink-verdict.ts';

export interface AheadCheck {
  readonly log: Pick<CommitLog, 'last' | 'committed' | 'append'>;
  /** On what a place in the edge rests. */
  readonly headsAt: (position: number) => Promise<Heads>;
  /** Whether the shard holds all frames of the range, and no others there. */
  readonly holds: (range: NamedRange) => Promise<boolean>;
}

/**
 * K11. The log was rolled back, or the sink's word is all there is. Undefined: nothing tells that the edge still has the frames on
 * which the position rests. The loop compares those of a batch before it continues. It is taken for begun, not for written: only the
 * sink still knows which of its rows were refused, and says so when it is repeated.
 */
export async function ahead(
  check: AheadCheck,
  stored: StoredPosition,
  abort: AbortSignal,
): Promise<Believed | undefined> {
  const { log } = check;
  const { committed } = log;
  const { position, token } = stored;
  const range = rangeIn(token);
  const isOfBatch = range?.to === position;
  const isWhole = isOfBatch && (await check.holds(range));
  if (!isWhole && (await isFounded(check, stored))) {
    // A batch that was begun is behind it: nobody would finish that, and a drain would wait for it.
    if (begunIn(log.last) !== undefined) await log.append({ kind: 'commit', to: committed }, abort);
    return { kind: 'recovered', committed: position, has: position, finish: undefined };
  }
  if (!isOfBatch) return undefined;
  const finish: Intent = { kind: 'intent', ...range, after: committed, token, rows: 0 };
  return { kind: 'recovered', committed, has: position, finish };
}

async function isFounded({ headsAt }: AheadCheck, { position, token }: StoredPosition): Promise<boolean> {
  const [last, set] = [lastIn(token), headsIn(token)];
  if (last === undefined && set === undefined) return false;
  const heads = await headsAt(position);
  return last === undefined
    ? headsText(heads) === set
    : Object.values(heads).some(([sequence, check]) => sequence === position && check === last);
}
