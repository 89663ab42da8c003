/**
 * How the token of a batch ends: its range, and the checksum of the checksums of its frames. So a range that has other
 * frames by now has another token, and a token tells which frames a sink has.
 */
export interface FrameRange {
  readonly from: number;
  readonly to: number;
  /** Undefined: of v0.1, which had none. */
  readonly check: number | undefined;
}

export function rangeText({ from, to, check }: FrameRange): string {
  return check === undefined ? `${from}-${to}` : `${from}-${to}:${check.toString(36)}`;
}

/** Undefined: it ends otherwise, as those of v0.1 do, and those that only set a position. */
export function rangeIn(token: string): (FrameRange & { readonly check: number }) | undefined {
  const [, from, to, check] = /:([0-9]+)-([0-9]+):([0-9a-z]+)$/.exec(token) ?? [];
  if (check === undefined) return undefined;
  return { from: Number(from), to: Number(to), check: Number.parseInt(check, 36) };
}
