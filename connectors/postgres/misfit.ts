/** A value that a column does not accept; the row buffer adds the field's name and describes the value. */
export class Misfit extends Error {
  override readonly name = 'Misfit';
  readonly wanted: string;

  constructor(wanted: string) {
    super();
    this.wanted = wanted;
  }
}
