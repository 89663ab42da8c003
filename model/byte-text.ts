/**
 * Bytes as text, without loss: UTF-8 reads as usual; each byte that is not UTF-8 becomes a lone surrogate, U+DC80 to
 * U+DCFF, which no UTF-8 text contains (PEP 383). JSON stores it as an escape.
 *
 * X1  Equal texts come from equal bytes, and the bytes can be recovered.
 * X2  Text from UTF-8 is well formed, any other is not: `isWellFormed()` tells.
 */
import { Buffer, isUtf8 } from 'node:buffer';

const escapes = 0xdc00;
const longestCharacter = 4;

export function textOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString();
  let text = '';
  for (let at = 0; at < buffer.length;) {
    const size = characterAt(buffer, at);
    text += size === 0 ? String.fromCharCode(escapes + buffer[at]!) : buffer.toString('utf8', at, at + size);
    at += Math.max(1, size);
  }
  return text;
}

/** 0: no character starts here. */
function characterAt(buffer: Buffer, at: number): number {
  const last = Math.min(longestCharacter, buffer.length - at);
  for (let size = 1; size <= last; size++) if (isUtf8(buffer.subarray(at, at + size))) return size;
  return 0;
}
