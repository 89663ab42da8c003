/** What a slot said of itself, as its reports and conditions would say it (I10, I14). */
import type { MillraceError } from '../../../model/errors.ts';
import type { SlotObserver, Waiter } from '../../../stream/slot-observer.ts';

export class SimObserver implements SlotObserver {
  readonly waits = new Map<Waiter, MillraceError>();
  problem: MillraceError | undefined;
  taken = 0;
  handed = 0;
  droppedRecords = 0;
  dead = 0;
  lostLetters = 0;

  connection(error: MillraceError | undefined): void {
    this.problem = error;
  }
  waiting(waiter: Waiter, reason: MillraceError | undefined): void {
    if (reason === undefined) this.waits.delete(waiter);
    else this.waits.set(waiter, reason);
  }
  took(records: number): void {
    this.taken += records;
  }
  handedOn(records: number): void {
    this.handed += records;
  }
  keyRefused(): void {
    // Its sender tries again, as after every 429.
  }
  dropped(records: number): void {
    this.droppedRecords += records;
  }
  deadLettered(letters: readonly unknown[]): void {
    this.dead += letters.length;
  }
  lettersDropped(records: number): void {
    this.lostLetters += records;
  }
  frame(): void {
    // Counted by the witness.
  }
  batch(): void {
    // Counted by the table.
  }
  position(): void {
    // Known to the witness.
  }

  get reasons(): readonly MillraceError[] {
    return [...(this.problem === undefined ? [] : [this.problem]), ...this.waits.values()];
  }

  /** Why it does not get on, in one word; undefined when it says that all is well. */
  get trouble(): string | undefined {
    return this.reasons[0]?.code;
  }
}
