/** I1–I5 after a run: what the sinks hold beside what was put in. Pure. */
import type { DeadLetter } from '../../stream/dead-letter.ts';
import { orderOf } from './load.ts';
import type { OrderRow } from './sinks.ts';

export interface Verdict {
  readonly input: number;
  readonly lost: number;
  readonly doubled: number;
  readonly invented: number;
  readonly wrong: number;
  /** Rows whose edition is lower than that of a row before them in their partition (E9). */
  readonly editionFell: number;
  readonly deadLettersMissing: number;
  readonly deadLettersDoubled: number;
  readonly deadLettersWrong: number;
}

interface OrdersRun {
  /** `partition/offset` → value, as the topic holds it. */
  readonly topic: ReadonlyMap<string, string>;
  readonly warehouse: readonly OrderRow[];
  readonly ledger: readonly OrderRow[];
  readonly deadLetters: readonly DeadLetter[];
}

export function verifyOrders({ topic, warehouse, ledger, deadLetters }: OrdersRun): Verdict {
  const seen = new Map<string, number>();
  let invented = 0;
  let wrong = 0;
  for (const row of [...warehouse, ...ledger]) {
    const place = `${row.partition}/${row.offset}`;
    const value = topic.get(place);
    if (value === undefined) invented++;
    else if (!isRight(row, value)) wrong++;
    seen.set(place, (seen.get(place) ?? 0) + 1);
  }
  const letters = new Map<string, DeadLetter[]>();
  for (const letter of deadLetters) {
    const place = `${letter.partition ?? ''}/${letter.offset ?? ''}`;
    letters.set(place, [...(letters.get(place) ?? []), letter]);
  }
  let [lost, doubled, missing, doubledLetters, wrongLetters] = [0, 0, 0, 0, 0];
  for (const [place, value] of topic) {
    const rows = seen.get(place) ?? 0;
    const dead = letters.get(place) ?? [];
    if (!isJson(value)) {
      if (dead.length === 0) missing++;
      if (dead.length > 1) doubledLetters++;
      if (dead.some(({ code }) => code !== 'MR_RECORD_NOT_JSON')) wrongLetters++;
    } else if (dead.length > 0) {
      wrongLetters++;
    } else if (value.includes('"paid"')) {
      if (rows === 0) lost++;
      if (rows > 1) doubled += rows - 1;
    } else if (rows > 0) {
      invented++;
    }
  }
  return {
    input: topic.size,
    lost,
    doubled,
    invented,
    wrong,
    editionFell: editionsThatFell([...warehouse, ...ledger]),
    deadLettersMissing: missing,
    deadLettersDoubled: doubledLetters,
    deadLettersWrong: wrongLetters,
  };
}

/** `mayRepeat`: nobody can know whether a request with these was taken before its pipeline was deleted. */
export function verifyEvents(
  acknowledged: number,
  ids: readonly number[],
  mayRepeat: ReadonlySet<number> = new Set(),
): Verdict {
  const times = new Map<number, number>();
  for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1);
  let lost = 0;
  for (let id = 0; id < acknowledged; id++) if (!times.has(id)) lost++;
  let doubled = 0;
  for (const [id, count] of times) doubled += Math.max(0, count - (mayRepeat.has(id) ? 2 : 1));
  const invented = [...times.keys()].filter((id) => id < 0 || id >= acknowledged).length;
  return {
    input: acknowledged,
    lost,
    doubled,
    invented,
    wrong: 0,
    editionFell: 0,
    deadLettersMissing: 0,
    deadLettersDoubled: 0,
    deadLettersWrong: 0,
  };
}

export function isClean({ input: _, ...counts }: Verdict): boolean {
  return Object.values(counts).every((count) => count === 0);
}

function isRight(row: OrderRow, value: string): boolean {
  if (!isJson(value)) return false;
  const id = Number(/"id":(\d+)/.exec(value)?.[1]);
  const order = orderOf(id);
  return row.id === id && row.amount === order.amount && order.status === 'paid';
}

function isJson(value: string): boolean {
  return value.endsWith('}');
}

function editionsThatFell(rows: readonly OrderRow[]): number {
  const highest = new Map<number, number>();
  let fell = 0;
  for (const { partition, edition } of rows.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    const before = highest.get(partition) ?? 0;
    if (edition < before) fell++;
    highest.set(partition, Math.max(before, edition));
  }
  return fell;
}
