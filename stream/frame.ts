/**
 * The layout of a frame: one JetStream message that holds the records of one writer. Little-endian.
 *
 *   header   88 bytes, below
 *   body     values, keys, then the tables (compressed as one piece when codec is zstd):
 *              value lengths  i32 × count          -1 = null
 *              key lengths    i32 × count          -1 = none; absent without flag `keys`
 *              timestamps     i32 × count          milliseconds after the base; f64 × count with flag `wideTimes`
 *              runs           (u32 records, i32 partition, i64 first offset) × runs; offset -1 = none
 *              headers        (u32 record, u32 length, JSON of name-value pairs) × header entries
 *   position JSON: up to where the writer's input is covered by this frame (E2); empty with flag `unbegun`
 *   checksum CRC-32 of all bytes before it (docs/decisions/010-frame-checksum.md)
 *
 * Values come first so that a builder writes them in their final place; only the small tables are copied when it
 * closes.
 *
 * F1  A frame decodes to what was encoded, or decoding throws MR_FRAME_CORRUPT. Never anything else.
 * F2  A frame without records (a progress frame, E5) still carries position and ingest time.
 * F3  A frame names the plan under which it was written (E9), and its predecessor of the same writer with that frame's
 *     checksum. So a reader can tell that no frame is missing, and that the chain is the same (I6).
 *
 * Version 1, of Millrace 0.1, has 64 bytes of header: neither plan nor predecessor. It is read, never written.
 */
export const frameMagic = 0x3146_524d; // 'MRF1'
export const frameVersion = 2;
export const headerBytes = 88;
export const firstVersion = 1;
export const firstHeaderBytes = 64;
export const checksumBytes = 4;
export const runBytes = 16;

export const codecs = { none: 0, zstd: 1 } as const;
export type Codec = keyof typeof codecs;

export const flags = { keys: 1, wideTimes: 2, unbegun: 4 } as const;
export const knownFlags = flags.keys | flags.wideTimes | flags.unbegun;

/** Where each field of the header is. */
export const at = {
  magic: 0,
  version: 4,
  codec: 5,
  flags: 6,
  count: 8,
  runs: 12,
  ingestMin: 16,
  ingestMax: 24,
  timeBase: 32,
  valueBytes: 40,
  keyBytes: 44,
  headerEntries: 48,
  bodyBytes: 52,
  storedBytes: 56,
  positionBytes: 60,
  plan: 64,
  predecessor: 72,
  predecessorCheck: 80,
} as const;

/** How a frame hangs together with plans and with the frame before it (F3). */
export interface FrameLink {
  /** Generation of the plan under which it was written; 0 = before frames named one. */
  readonly plan: number;
  /** Stream sequence of the frame of the same writer before it; 0 = it is the first. */
  readonly predecessor: number;
  /** That frame's checksum. */
  readonly predecessorCheck: number;
}

export const unlinked: FrameLink = { plan: 0, predecessor: 0, predecessorCheck: 0 };

/** The plan that a frame of today names. */
export function planOf(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getFloat64(at.plan, true);
}

/** The checksum of a whole frame, by which the next one names it. */
export function checkOf(frame: Uint8Array): number {
  const { length } = frame;
  return (
    (frame[length - 4]! | (frame[length - 3]! << 8) | (frame[length - 2]! << 16) | (frame[length - 1]! << 24)) >>> 0
  );
}

/** Above this, a decoder refuses: no frame of ours is near it, and a damaged length must not allocate gigabytes. */
export const maxBodyBytes = 256 * 2 ** 20;
