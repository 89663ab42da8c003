import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { WallClock } from '../../../model/clock.ts';
import type { SourceReader } from '../../../connectors/connector.ts';
import { source } from '../../../connectors/generator/index.ts';
import { RecordMaker } from '../../../connectors/generator/record-maker.ts';
import { generatorSourceSpec, type GeneratorSourceConfig } from '../../../connectors/generator/spec.ts';
import type { Position, RecordBatch } from '../../../stream/record-batch.ts';
import { sourceContext, undecided } from '../source-context.ts';
import { hangMs } from '../../support/eventually.ts';

function config(spec: Record<string, unknown>): GeneratorSourceConfig {
  return generatorSourceSpec.parse({ rate: 0, ...spec });
}

async function open(spec: Record<string, unknown>, slot = 0, slots = 1, position?: Position, clock?: WallClock) {
  const context = sourceContext({ slots, ...(clock === undefined ? {} : { clock }) });
  return (await source.connect(config(spec), context)).open(slot, position, undecided);
}

function textsOf(batch: RecordBatch): string[] {
  return Array.from({ length: batch.count }, (_, i) =>
    Buffer.from(batch.bytes.subarray(batch.valueStart[i], batch.valueEnd[i])).toString(),
  );
}

async function all(reader: SourceReader): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const batch = await reader.read(AbortSignal.timeout(hangMs));
    if (batch === undefined) return texts;
    texts.push(...textsOf(batch));
  }
}

function one(field: Record<string, unknown>, index: number, seed = 1): unknown {
  const maker = new RecordMaker(config({ fields: [{ name: 'f', ...field }] }).fields, seed);
  const out = new Uint8Array(maker.maxBytes);
  const end = maker.write(out, 0, index);
  assert.ok(end <= maker.maxBytes);
  return (JSON.parse(Buffer.from(out.subarray(0, end)).toString()) as { f: unknown }).f;
}

describe('generator source', () => {
  it('M1: makes the same records from the same seed, and others from another', async () => {
    const first = await all(await open({ count: 1_000 }));
    assert.deepEqual(await all(await open({ count: 1_000 })), first);
    assert.notDeepEqual(await all(await open({ count: 1_000, seed: 2 })), first);
  });

  it('M1: makes the same record i alone, from any position, at any number of slots', async () => {
    const whole = await all(await open({ count: 10_000 }));
    assert.deepEqual(await all(await open({ count: 10_000 }, 0, 1, 7_777)), whole.slice(7_777));
    for (let slot = 0; slot < 3; slot++) {
      const share = whole.filter((_, i) => i % 3 === slot);
      assert.deepEqual(await all(await open({ count: 10_000 }, slot, 3)), share);
    }
  });

  it('says after each record where to go on', async () => {
    const reader = await open({ count: 100 }, 1, 4);
    const batch = await reader.read(AbortSignal.timeout(1_000));
    assert.ok(batch);
    assert.deepEqual([batch.positionAfter(0), batch.positionAfter(batch.count - 1), batch.position], [5, 101, 101]);
    const rest = await all(await open({ count: 100 }, 1, 4, batch.positionAfter(9)));
    assert.deepEqual(rest, textsOf(batch).slice(10));
  });

  it('ends after its count, shared by its slots, and has no end without one', async () => {
    const counts = await Promise.all(
      [0, 1, 2].map(async (slot) => (await all(await open({ count: 10 }, slot, 3))).length),
    );
    assert.deepEqual(counts, [4, 3, 3]);
    assert.deepEqual(await all(await open({ count: 1 }, 2, 3)), []);
    assert.equal((await open({})).lag(), undefined);
    assert.equal((await open({ count: 10 }, 0, 3)).lag(), 4);
  });

  it('keeps its rate, shared by its slots, by the clock that it is given', async () => {
    let now = 1_000_000;
    const clock: WallClock = {
      now: () => now,
      sleep: (ms) => {
        now += ms;
        return Promise.resolve();
      },
    };
    const reader = await open({ rate: 1_000 }, 0, 4, undefined, clock);
    let records = 0;
    while (now < 1_010_000) records += (await reader.read(AbortSignal.timeout(1_000)))?.count ?? 0;
    assert.ok(Math.abs(records - 2_500) <= 5, `${records} in 10 s`);
    now += 60_000;
    const backlog = (await reader.read(AbortSignal.timeout(1_000)))?.count ?? 0;
    assert.ok(backlog <= 250, `${backlog} at once after a minute without reading`);
  });

  it('keeps a rate of less than one a second', async () => {
    let now = 0;
    const clock: WallClock = {
      now: () => now,
      sleep: (ms) => {
        now += ms;
        return Promise.resolve();
      },
    };
    const reader = await open({ rate: 1 }, 0, 4, undefined, clock);
    let records = 0;
    for (; now < 40_000; records++) await reader.read(AbortSignal.timeout(1_000));
    assert.ok(Math.abs(records - 11) <= 1, `${records} in 40 s`);
  });

  it('ends a wait for the next record when it is told to', async () => {
    const reader = await open({ rate: 1 }, 0, 64);
    await reader.read(AbortSignal.timeout(1_000));
    const stop = new AbortController();
    const waiting = reader.read(stop.signal);
    stop.abort();
    await assert.rejects(waiting);
  });

  it('makes values of each kind within their bounds, for any record and seed', () => {
    const index = fc.oneof(fc.nat(1_000), fc.integer({ min: 0, max: 2 ** 40 }));
    fc.assert(
      fc.property(index, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (i, seed) => {
        assert.equal(one({ kind: 'Sequence', min: 5, step: 3 }, i, seed), 5 + 3 * i);
        const integer = one({ kind: 'Integer', min: -7, max: 9_000_000_000 }, i, seed) as number;
        assert.ok(Number.isInteger(integer) && integer >= -7 && integer <= 9_000_000_000);
        const float = one({ kind: 'Float', min: -1.5, max: 2.25, decimals: 2 }, i, seed) as number;
        assert.ok(float >= -1.5 && float <= 2.25 && Number.isInteger(Math.round(float * 1e6) / 1e4));
        assert.ok(['a"', 'b'].includes(one({ kind: 'Choice', choices: ['a"', 'b'] }, i, seed) as string));
        assert.match(one({ kind: 'Text', min: 3, max: 9 }, i, seed) as string, /^[a-z]{3,9}$/);
        assert.match(
          one({ kind: 'Uuid' }, i, seed) as string,
          /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
        const at = one({ kind: 'Timestamp', step: 1_500 }, i, seed) as string;
        const wanted = Math.min(Date.UTC(2026, 0, 1) + i * 1_500, Date.UTC(9999, 11, 31, 23, 59, 59, 999));
        assert.equal(new Date(at).toISOString(), at);
        assert.equal(Date.parse(at), wanted);
      }),
    );
  });

  it('gives every bound a meaning: a max below min counts as min', () => {
    assert.equal(one({ kind: 'Integer', min: 5, max: 2 }, 3), 5);
    assert.equal(one({ kind: 'Float', min: 5, max: 2, decimals: 0 }, 3), 5);
    assert.equal((one({ kind: 'Text', min: 5, max: 2 }, 3) as string).length, 5);
    assert.equal(one({ kind: 'Sequence', min: 0.5, step: 0.25 }, 3), 1.25);
    assert.equal(one({ kind: 'Float', min: 1e15, max: 1e15, decimals: 3 }, 3), 1e15);
  });

  it('spreads its values: each choice comes about as often as the others, and no two identifiers are equal', async () => {
    const fields = [
      { name: 'c', kind: 'Choice', choices: ['a', 'b', 'c', 'd'] },
      { name: 'u', kind: 'Uuid' },
      { name: 'i', kind: 'Integer', min: 0, max: 9 },
    ];
    const made = (await all(await open({ fields, count: 40_000 }))).map(
      (text) => JSON.parse(text) as { c: string; u: string; i: number },
    );
    for (const group of [Map.groupBy(made, ({ c }) => c), Map.groupBy(made, ({ i }) => String(i))]) {
      for (const { length } of group.values()) {
        assert.ok(Math.abs(length / (40_000 / group.size) - 1) < 0.1, `${length} of 40000`);
      }
    }
    assert.equal(new Set(made.map(({ u }) => u)).size, 40_000);
  });
});
