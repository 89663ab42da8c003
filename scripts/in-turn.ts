/**
 * Combines the output of commands that run at the same time: the output of each stays together, in the order in which
 * they started. The output of the first that has not ended is shown as it comes; that of the others is kept until
 * their turn.
 */
export interface Output {
  write(text: string): void;
  end(): void;
}

interface Turn {
  kept: string;
  hasEnded: boolean;
}

export class InTurn {
  readonly #print: (text: string) => void;
  /** The first prints. */
  readonly #turns: Turn[] = [];

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  next(): Output {
    const turn: Turn = { kept: '', hasEnded: false };
    this.#turns.push(turn);
    return {
      write: (text) => {
        turn.kept += text;
        this.#goOn();
      },
      end: () => {
        turn.hasEnded = true;
        this.#goOn();
      },
    };
  }

  #goOn(): void {
    for (let first = this.#turns[0]; first !== undefined; first = this.#turns[0]) {
      if (first.kept !== '') this.#print(first.kept);
      first.kept = '';
      if (!first.hasEnded) return;
      this.#turns.shift();
    }
  }
}
