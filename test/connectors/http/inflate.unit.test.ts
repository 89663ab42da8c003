import assert from 'node:assert/strict';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { inflateBody, InflatedTooLarge, type Encoding } from '../../../connectors/http/inflate.ts';

interface Codec {
  readonly name: string;
  readonly encoding: Encoding;
  readonly pack: (text: string) => Buffer;
  /** Whether the format knows several streams in a row. */
  readonly mayFollow: boolean;
}

const codecs: readonly Codec[] = [
  { name: 'gzip', encoding: 'gzip', pack: (text) => gzipSync(text), mayFollow: true },
  { name: 'zstd', encoding: 'zstd', pack: (text) => zstdCompressSync(text), mayFollow: true },
  { name: 'deflate', encoding: 'deflate', pack: (text) => deflateSync(text), mayFollow: false },
  { name: 'raw deflate', encoding: 'deflate', pack: (text) => deflateRawSync(text), mayFollow: false },
];

/** Up to one and several chunks of the decoders, and where these end with the text. */
const texts = ['', 'one\n', 'x'.repeat(16_384), 'y'.repeat(65_536), 'z'.repeat(200_001)];
const limit = 1 << 20;

describe('bodies with a Content-Encoding', () => {
  for (const { name, encoding, pack, mayFollow } of codecs) {
    const inflate = async (...parts: readonly Uint8Array[]) =>
      Buffer.from(await inflateBody(Buffer.concat(parts), encoding, limit)).toString();

    it(`Z1: ${name}: one stream is read`, async () => {
      for (const text of texts) assert.equal(await inflate(pack(text)), text);
    });

    it(`Z1: ${name}: a second stream is ${mayFollow ? 'read' : 'refused, and not lost'}`, async () => {
      for (const text of texts) {
        const both = inflate(pack(text), pack('second'));
        if (mayFollow) assert.equal(await both, `${text}second`);
        else await assert.rejects(both, /\d+ bytes follow its end/);
      }
    });

    it(`Z1: ${name}: whatever else follows is refused`, async () => {
      const rests = ['rubbish', '\n', '\0', '\0\0\0'].map((text) => Buffer.from(text));
      for (const text of texts) {
        for (const rest of [...rests, Buffer.concat([Buffer.alloc(3), pack('second')])])
          await assert.rejects(inflate(pack(text), rest), `${text.length} + ${rest.toString('hex')}`);
      }
    });

    it(`Z1: ${name}: a body that is cut is refused, wherever it is cut`, async () => {
      const whole = pack('one\ntwo\n'.repeat(8));
      for (let end = 0; end < whole.length; end++) {
        // No frame is a valid body of zstd.
        if (end === 0 && encoding === 'zstd') continue;
        await assert.rejects(inflate(whole.subarray(0, end)), `${end} of ${whole.length} bytes`);
      }
    });

    it(`${name}: a body above the limit is not inflated beyond it`, async () => {
      await assert.rejects(inflateBody(pack('x'.repeat(limit + 1)), encoding, limit), InflatedTooLarge);
      assert.equal((await inflateBody(pack('x'.repeat(limit)), encoding, limit)).length, limit);
    });
  }
});
