/** A value that a column does not take; the row buffer adds the field's name and what the value is. */
export class Misfit extends Error {
  override readonly name = 'Misfit';
  readonly wanted: string;

  constructor(wanted: string) {
    super();
    this.wanted = wanted;
  }
}
