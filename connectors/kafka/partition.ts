/** One partition as a slot's reader sees it. */
export class Partition {
  readonly id: number;
  /** The next offset to hand out. Undefined until the cluster has said where the partition starts. */
  position: number | undefined;
  /** The next offset to fetch: `position`, or ahead of it by what was fetched and not handed out. */
  fetchAt: number | undefined;
  /** Where to start when there is no position. */
  readonly start: 'earliest' | 'latest';
  leader: number | undefined;
  /** Offset of the next record that a producer will write, as far as known. */
  end: number | undefined;
  /** When `end` was learned, in the clock's milliseconds. */
  endKnownAt = 0;
  /** The broker no longer has `fetchAt`; nothing is fetched until that is resolved. */
  isOutOfRange = false;

  constructor(id: number, position: number | undefined, start: 'earliest' | 'latest') {
    this.id = id;
    this.position = position;
    this.fetchAt = position;
    this.start = start;
  }

  /** Moves to `offset`, and drops what was fetched ahead: `fetchAt` distinguishes such sections from wanted ones. */
  moveTo(offset: number): void {
    this.position = offset;
    this.fetchAt = offset;
    this.isOutOfRange = false;
  }

  get lag(): number | undefined {
    if (this.end === undefined || this.position === undefined) return undefined;
    return Math.max(0, this.end - this.position);
  }
}
