/**
 * Several who print at once, and one paper: what each prints stays together, in the order in which they began. The first
 * that has not ended is seen as it prints; the others are kept until it is their turn.
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
