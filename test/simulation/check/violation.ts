/** An invariant that does not hold: its label, and what was seen. */
export class Violation extends Error {
  readonly label: string;

  constructor(label: string, what: string) {
    super(`${label}: ${what}`);
    this.name = 'Violation';
    this.label = label;
  }
}
