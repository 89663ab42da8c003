/**
 * How often the whole heap of a record-moving process is collected.
 *
 * V8 begins such a collection when memory has grown by a factor since the last one, and counts buffers outside the heap
 * (what sockets read, frames, inserts) that have outlived a collection of the young generation. The heap of a worker is
 * 20 MiB of code that does not change, so a factor of less than two was reached after some 20 MiB of records, and each
 * collection costs 37 ms of CPU (decision 135).
 */
import { setFlagsFromString } from 'node:v8';

/** Percent of the heap by which memory grows before the whole of it is collected. */
const growingPercent = 300;

/** Takes effect from the next collection of this process on. The peak of memory stays: the buffers are there either way. */
export function collectRarely(): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
}
