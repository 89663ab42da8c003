/** Frames from plain values, and back. */
import { FrameBuilder } from '../../../stream/frame-builder.ts';
import { decodeFrame, type Frame } from '../../../stream/frame-reader.ts';
import type { FrameLink } from '../../../stream/frame.ts';
import type { Position } from '../../../stream/record-batch.ts';
import { batchOf } from './batches.ts';

export function frameOf(values: readonly string[], position: Position, link?: FrameLink): Buffer {
  const builder = new FrameBuilder({ maxRecords: 100_000, maxBytes: 2 ** 20, capBytes: 8 * 2 ** 20 });
  builder.append(batchOf(values.map((value) => ({ value }))), 0, 1);
  return builder.finish(position, 1, link);
}

export function valuesOf(bytes: Uint8Array): string[] {
  return valuesIn(decodeFrame(bytes, { stream: 'test', sequence: 0 }));
}

export function valuesIn(frame: Frame): string[] {
  const bytes = Buffer.from(frame.bytes);
  return Array.from({ length: frame.count }, (_, index) =>
    bytes.toString('utf8', frame.valueStart[index], frame.valueEnd[index]),
  );
}
