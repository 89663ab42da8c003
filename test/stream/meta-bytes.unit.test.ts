/** Keys and headers that are not UTF-8, from a batch through a frame to expressions, dead letters and tombstones. */
import assert from 'node:assert/strict';
import { textOfBytes } from '../../model/byte-text.ts';
import { MillraceError } from '../../model/errors.ts';
import { keyFields } from '../../connectors/postgres/key-fields.ts';
import { FrameBuilder } from '../../stream/frame-builder.ts';
import { decodeFrame, FrameMeta } from '../../stream/frame-reader.ts';
import { compileExpression } from '../../transforms/expression/expression.ts';
import { batchOf } from './support/batches.ts';

const binary = Buffer.of(0xff, 0x00, 0x61);

function frameWith(key: Buffer, headers: readonly (readonly [string, string])[]) {
  const batch = batchOf([{ value: '{"a":1}', key: 'x'.repeat(key.length), headers }]);
  key.copy(batch.bytes, batch.keyStart[0]);
  const builder = new FrameBuilder({ maxRecords: 10, maxBytes: 2 ** 20, capBytes: 2 ** 20 });
  builder.append(batch, 0, 1);
  return decodeFrame(builder.finish(1, 1), { stream: 'test', sequence: 1 });
}

const headers = [
  ['id', textOfBytes(binary)],
  ['trace', 'abc'],
] as const;

function evaluated(source: string, key = binary, pairs: readonly (readonly [string, string])[] = headers): unknown {
  const meta = new FrameMeta(frameWith(key, pairs), 'orders', 'orders').at(0);
  try {
    return compileExpression(source, 'spec', 'shape')({ a: 1 }, meta, 0);
  } catch (error) {
    assert.ok(error instanceof MillraceError, String(error));
    return error.code;
  }
}

describe('keys and headers that are no text', () => {
  it('are in the frame as they came', () => {
    const frame = frameWith(binary, headers);
    assert.deepEqual(Buffer.from(frame.bytes.subarray(frame.keyStart[0], frame.keyEnd[0])), binary);
    assert.deepEqual(frame.headers.get(0), headers);
  });

  const table: readonly (readonly [string, unknown])[] = [
    ['meta.key', 'MR_RECORD_EXPRESSION'],
    ['meta.key == "x"', 'MR_RECORD_EXPRESSION'],
    ['[meta.key].map(k, k)', 'MR_RECORD_EXPRESSION'],
    ['meta.headers.id', 'MR_RECORD_EXPRESSION'],
    ['meta.headers["id"]', 'MR_RECORD_EXPRESSION'],
    ['[1].map(i, meta.headers.id)', 'MR_RECORD_EXPRESSION'],
    ['meta.headers', 'MR_RECORD_EXPRESSION'],
    // Whether it is there is found by reading it.
    ['"id" in meta.headers', 'MR_RECORD_EXPRESSION'],
    ['has(meta.headers.id)', 'MR_RECORD_EXPRESSION'],
    // What does not read them is not concerned.
    ['meta.headers.trace', 'abc'],
    ['[1].map(i, meta.headers.trace)', ['abc']],
    ['meta.source', 'orders'],
    ['[1].map(i, meta.source)', ['orders']],
    ['record.a', 1],
    ['[record.a].map(a, a + 1)', [2]],
  ];
  for (const [source, result] of table) {
    it(`\`${source}\` is ${JSON.stringify(result)}`, () => assert.deepEqual(evaluated(source), result));
  }

  it('a name that is none is refused with all headers', () => {
    assert.equal(
      evaluated('meta.headers.trace', binary, [[textOfBytes(binary), 'x'], ...headers]),
      'MR_RECORD_EXPRESSION',
    );
  });

  it('texts are read as before', () => {
    assert.equal(evaluated('meta.key', Buffer.from('é')), 'é');
    assert.equal(evaluated('[meta.key].map(k, k)[0]', Buffer.from('é')), 'é');
  });

  it('a tombstone with such a key deletes no row: it is a dead letter', () => {
    const meta = new FrameMeta(frameWith(binary, []), 'orders', 'orders').at(0);
    assert.throws(
      () => keyFields(meta.key, ['id']),
      (error) => error instanceof MillraceError && error.code === 'MR_RECORD_MISFIT' && error.handling === 'deadLetter',
    );
  });
});
