/**
 * The end of a batch's token: its range, and the checksum of the checksums of its frames. So the same range with other
 * frames has another token, and a token tells which frames a sink has. The same frames as other rows have another one,
 * too: a number follows (V2 of `./sink-write.ts`).
 */
export interface FrameRange {
  readonly from: number;
  readonly to: number;
  /** Undefined: a batch of v0.1, which had none. */
  readonly check: number | undefined;
}

export function rangeText({ from, to, check }: FrameRange): string {
  return check === undefined ? `${from}-${to}` : `${from}-${to}:${check.toString(36)}`;
}

/** Undefined: the token ends otherwise, like those of v0.1, of a repetition, and those that only set a position. */
export function rangeIn(token: string): (FrameRange & { readonly check: number }) | undefined {
  const [, from, to, check] = /:([0-9]+)-([0-9]+):([0-9a-z]+)$/.exec(token) ?? [];
  if (check === undefined) return undefined;
  return { from: Number(from), to: Number(to), check: Number.parseInt(check, 36) };
}

/** Of the same frames as other rows. */
export function nextToken(token: string): string {
  const [suffix = '', before] = /\.([0-9]+)$/.exec(token) ?? [];
  return `${token.slice(0, token.length - suffix.length)}.${before === undefined ? 2 : Number(before) + 1}`;
}
