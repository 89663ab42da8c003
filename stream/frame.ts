/**
 * The layout of a frame: one JetStream message that holds the records of one writer. Little-endian.
 *
 *   header   64 bytes, below
 *   body     values, keys, then the tables (compressed as one piece when codec is zstd):
 *              value lengths  i32 × count          -1 = null
 *              key lengths    i32 × count          -1 = none; absent without flag `keys`
 *              timestamps     i32 × count          milliseconds after the base; f64 × count with flag `wideTimes`
 *              runs           (u32 records, i32 partition, i64 first offset) × runs; offset -1 = none
 *              headers        (u32 record, u32 length, JSON of name-value pairs) × header entries
 *   position JSON: up to where the writer's input is covered by this frame (E2)
 *   checksum CRC-32 of all bytes before it (docs/decisions/010-frame-checksum.md)
 *
 * Values come first so that a builder writes them where they stay; only the small tables are copied when it closes.
 *
 * F1  A frame decodes to what was put in, or decoding throws MR_FRAME_CORRUPT. Never anything else.
 * F2  A frame without records (a progress frame, E5) still carries position and ingest time.
 */
export const frameMagic = 0x3146_524d; // 'MRF1'
export const frameVersion = 1;
export const headerBytes = 64;
export const checksumBytes = 4;
export const runBytes = 16;

export const codecs = { none: 0, zstd: 1 } as const;
export type Codec = keyof typeof codecs;

export const flags = { keys: 1, wideTimes: 2 } as const;
export const knownFlags = flags.keys | flags.wideTimes;

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
} as const;

/** Above this, a decoder refuses: no frame of ours is near it, and a damaged length must not allocate gigabytes. */
export const maxBodyBytes = 256 * 2 ** 20;
