import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mr, MillraceError } from '../../model/errors.ts';
import { SinkWrite } from '../../stream/sink-write.ts';
import type { BatchRange } from '../../stream/sink-port.ts';
import { batchOfRows, MemoryRows, MemoryTable, Witness } from './support/fakes.ts';
import { leapingClock } from './support/leaping-clock.ts';
import { MemoryLog } from './support/memory-log.ts';

const id: BatchRange = { from: 1, to: 4, after: 0, token: 'uid:1:sink-w:0:1-4' };
const meta = { source: 's', topic: null, partition: null, offset: null, key: null, headers: {}, timestamp: 0 };
const outage = mr('MR_SINK_UNREACHABLE', { sink: 'w', server: 'ch:8123', problem: 'it is away' });

function rowsOf(refuse: readonly boolean[]): MemoryRows {
  const rows = new MemoryRows();
  refuse.forEach((isRefused, n) => rows.add({ n, ...(isRefused ? { refuse: true } : {}) }, meta));
  return rows;
}

function bench() {
  const clock = leapingClock();
  const log = new MemoryLog();
  const table = new MemoryTable();
  const witness = new Witness();
  const abort = new AbortController();
  const all = { clock, log, table, witness, stop: new AbortController(), abort, write };
  return all;

  function write(rows = rowsOf([false, false, false]), failed: readonly number[] = []) {
    const { stop } = all;
    const begun = log.last?.kind === 'intent' ? log.last : undefined;
    const { from, to, after, token } = begun ?? id;
    return new SinkWrite(
      {
        sink: 'w',
        sinkSlot: table.slot(),
        log,
        clock,
        random: () => 0.5,
        observer: witness,
        signals: { stop: AbortSignal.any([stop.signal, abort.signal]), abort: abort.signal },
      },
      batchOfRows(rows, failed),
      { from, to, after, token },
      begun,
    ).run();
  }
}

const numbers = (table: MemoryTable) => table.rows.map(({ value }) => value['n']);

describe('a batch on its way into the sink', () => {
  it('is announced, written, and nothing else when all goes well', async () => {
    const { log, table, write } = bench();
    assert.deepEqual(await write(), []);
    assert.deepEqual([log.entries, numbers(table)], [['intent'], [0, 1, 2]]);
  });

  it('C3: the refused rows are in the log before the others are written', async () => {
    const { log, table, write } = bench();
    table.beforeWrite = async () => {
      if (table.writes === 2) assert.deepEqual(log.entries, ['intent', 'refused']);
    };
    const refused = await write(rowsOf([false, true, false]));
    assert.deepEqual(
      refused.map(({ row }) => row),
      [1],
    );
    assert.deepEqual([table.writes, numbers(table)], [2, [0, 2]]);
  });

  it('is not written at all when every row is refused', async () => {
    const { table, write } = bench();
    assert.equal((await write(rowsOf([true, true]))).length, 2);
    assert.deepEqual([table.writes, table.tokens], [1, []]);
  });

  it('V1: after an attempt that stored nothing the intent is taken back until the next one', async () => {
    const { log, table, write, witness } = bench();
    table.failWith = outage;
    table.beforeWrite = async () => {
      assert.equal(log.last?.kind, 'intent');
      if (table.writes === 3) table.failWith = undefined;
    };
    await write();
    assert.deepEqual(log.entries, ['intent', 'commit', 'intent', 'commit', 'intent']);
    assert.deepEqual(witness.connections, ['MR_SINK_UNREACHABLE', 'MR_SINK_UNREACHABLE', undefined]);
  });

  it('V1: an outage of days in which nothing was sent asks nobody, whatever the sink remembers', async () => {
    const { table, write, clock, witness } = bench();
    table.window = 1;
    table.failWith = outage;
    table.beforeWrite = async () => {
      clock.leap(86_400_000);
      table.tokens.push('of others', 'and more');
      if (table.writes === 3) table.failWith = undefined;
    };
    await write();
    assert.deepEqual(numbers(table), [0, 1, 2]);
    assert.ok(!witness.connections.includes('MR_SINK_OUTCOME_UNKNOWN'));
  });

  describe('that may be in the sink', () => {
    /** The first attempt stores the batch and its answer is lost; then others write. */
    function lost(others: number) {
      const all = bench();
      all.table.window = 2;
      all.table.afterWrite = async () => {
        all.table.afterWrite = undefined;
        for (let n = 0; n < others; n++) all.table.tokens.push(`other ${n}`);
        throw outage;
      };
      return all;
    }

    it('V3: is repeated while the sink remembers it', async () => {
      const { table, write } = lost(1);
      await write();
      assert.deepEqual([table.writes, numbers(table)], [2, [0, 1, 2]]);
    });

    it('V3: is left to a person when the sink has forgotten it, and a stop ends the wait at once', async () => {
      const { table, write, witness, stop, clock } = lost(2);
      const began = clock.now();
      witness.connection = (error) => {
        witness.connections.push(error?.code);
        if (error?.code === 'MR_SINK_OUTCOME_UNKNOWN') stop.abort(new Error('the pod stops'));
      };
      await assert.rejects(write(), /the pod stops/);
      assert.deepEqual([table.writes, numbers(table)], [1, [0, 1, 2]]);
      assert.ok(clock.now() - began < 5_000);
    });

    it('V3: is taken as stored, or written again, when a person has said so', async () => {
      for (const [policy, rows] of [
        ['Skip', [0, 1, 2]],
        ['Repeat', [0, 1, 2, 0, 1, 2]],
      ] as const) {
        const { table, write } = lost(2);
        table.onUncertain = policy;
        await write();
        assert.deepEqual(numbers(table), rows);
      }
    });

    it('V3: is left to a person when it is no longer the same', async () => {
      const { log, table, write, witness, stop } = bench();
      await log.append({ kind: 'intent', ...id, rows: 4, bytes: 400, mark: { rows: 0 } });
      witness.connection = (error) => {
        witness.connections.push(error?.message);
        stop.abort(new Error('the pod stops'));
      };
      await assert.rejects(write(), /the pod stops/);
      assert.match(String(witness.connections[0]), /it had 4 rows when it was started and has 3 now/);
      assert.equal(table.writes, 0);
    });

    describe('V2: and whose records are other rows since the table was altered', () => {
      const nth = (rows: readonly { readonly row: number }[]) => rows.map(({ row }) => row);

      /** Of four records the first is no row, and the row of the third is refused; the answer of the insert is lost. */
      async function begun() {
        const all = bench();
        all.table.beforeWrite = async () => {
          if (all.table.writes !== 2) return;
          all.abort.abort(new Error('the pod is killed'));
          throw outage;
        };
        await assert.rejects(all.write(rowsOf([false, true, false]), [0]), /the pod is killed/);
        const next = bench();
        const { last } = all.log;
        assert.ok(last);
        await next.log.append(last);
        return next;
      }

      it('is left to a person, also if the number of rows and bytes is the same', async () => {
        const { write, witness, stop, table } = await begun();
        witness.connection = (error) => {
          witness.connections.push(error?.message);
          stop.abort(new Error('the pod stops'));
        };
        await assert.rejects(write(rowsOf([false, true, false]), [1]), /the pod stops/);
        assert.match(String(witness.connections[0]), /other records of it became rows when it was started/);
        assert.equal(table.writes, 0);
      });

      it('has the refused rows of now when a person says Repeat', async () => {
        const { write, table } = await begun();
        table.onUncertain = 'Repeat';
        // The first record is a row now, so that each of the others has another number.
        assert.deepEqual(nth(await write(rowsOf([false, false, true, false]))), [2]);
        assert.deepEqual(numbers(table), [0, 1, 3]);
      });

      it('is repeated with the rows that were refused when they are the same', async () => {
        const { write, table } = await begun();
        assert.deepEqual(nth(await write(rowsOf([false, true, false]), [0])), [1]);
        assert.deepEqual([table.writes, numbers(table)], [1, [0, 2]]);
      });
    });

    it('of v0.1 is repeated as it was announced', async () => {
      const { log, table, write } = bench();
      await log.append({ kind: 'intent', ...id, rows: 3 });
      assert.deepEqual(await write(), []);
      assert.deepEqual(numbers(table), [0, 1, 2]);
    });

    it('of v0.1 is left to a person when rows of it are refused, by this owner and by the next', async () => {
      for (const [policy, rows] of [
        ['Stop', []],
        ['Skip', []],
        ['Repeat', [0, 2]],
      ] as const) {
        const all = bench();
        const { log, table, write, witness } = all;
        await log.append({ kind: 'intent', ...id, rows: 3 });
        witness.connection = (error) => {
          witness.connections.push(error?.message);
          if (error !== undefined) all.stop.abort(new Error('the pod stops'));
        };
        for (let owner = 0; owner < 2; owner++) {
          all.stop = new AbortController();
          await assert.rejects(write(rowsOf([false, true, false])), /the pod stops/);
        }
        assert.match(String(witness.connections.at(-1)), /may have stored parts of the rest/);
        table.onUncertain = policy;
        all.stop = new AbortController();
        const end = await write(rowsOf([false, true, false])).catch(() => 'stopped');
        assert.equal(Array.isArray(end) ? end.length : end, policy === 'Stop' ? 'stopped' : 1);
        assert.deepEqual(numbers(table), rows);
      }
    });

    it('V3: is asked about when the process was stopped for some time before its first attempt', async () => {
      const { clock, log, table, write } = bench();
      log.step = async (when) => {
        if (when === 'before') return;
        clock.leap(60_000);
        // The next owner wrote it, and others after it.
        table.tokens.push(id.token, 'other 1', 'other 2');
      };
      table.window = 2;
      table.onUncertain = 'Skip';
      await write();
      assert.deepEqual([table.writes, numbers(table)], [0, []]);
    });
  });

  describe('V4: asked to stop', () => {
    it('ends before the next attempt when nothing is at stake, and leaves no intent', async () => {
      const { log, table, write, stop } = bench();
      table.failWith = outage;
      table.beforeWrite = async () => stop.abort(new Error('the pod stops'));
      await assert.rejects(write(), /the pod stops/);
      assert.deepEqual([table.writes, log.last?.kind], [1, 'commit']);
    });

    it('settles a question that is open', async () => {
      const { table, write, stop } = bench();
      table.afterWrite = async () => {
        table.afterWrite = undefined;
        stop.abort(new Error('the pod stops'));
        throw outage;
      };
      assert.deepEqual(await write(), []);
      assert.deepEqual([table.writes, numbers(table)], [2, [0, 1, 2]]);
    });

    it('gives up on an open question after some seconds, and leaves the intent to the next owner', async () => {
      const { clock, log, table, write, stop } = bench();
      const began = clock.now();
      table.failWith = outage;
      table.failsAs = 'unknown';
      table.beforeWrite = async () => stop.abort(new Error('the pod stops'));
      await assert.rejects(write(), /the pod stops/);
      assert.equal(log.last?.kind, 'intent');
      assert.ok(clock.now() - began > 10_000 && clock.now() - began < 20_000);
    });

    it('ends at once when its time is over', async () => {
      const { table, write, abort } = bench();
      table.failWith = outage;
      table.failsAs = 'unknown';
      table.beforeWrite = async () => abort.abort(new Error('the lease is lost'));
      await assert.rejects(write(), /the lease is lost/);
      assert.equal(table.writes, 1);
    });
  });

  it('I1, I2: a crash between any two steps, with others writing meanwhile, stores each row once or asks; never twice', async () => {
    const crash = fc.record({ step: fc.nat(8), when: fc.constantFrom('before', 'after'), others: fc.nat(3) });
    const property = fc.asyncProperty(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
      fc.array(crash, { maxLength: 6 }),
      fc.integer({ min: 1, max: 6 }),
      async (refuse, lives, window) => {
        const life = bench();
        const { log, table, witness, write } = life;
        table.window = window;
        witness.connection = (error) => {
          // Nobody answers; the pod is stopped, and the next one asks again.
          if (error !== undefined) life.stop.abort(error);
        };
        for (const { step, when, others } of lives) {
          await Promise.race([write(rowsOf(refuse)).catch(() => undefined), crashAt(log, table, step, when)]);
          revive(log, table);
          life.stop = new AbortController();
          for (let n = 0; n < others; n++) table.tokens.push(`other ${table.tokens.length}`);
        }
        const end = await write(rowsOf(refuse)).catch((error: unknown) => error);
        const stored = numbers(table);
        const taken = refuse.flatMap((isRefused, n) => (isRefused ? [] : [n]));
        if (end instanceof MillraceError) {
          assert.equal(end.code, 'MR_SINK_OUTCOME_UNKNOWN');
          assert.ok(stored.length === 0 || JSON.stringify(stored) === JSON.stringify(taken));
          return;
        }
        assert.deepEqual(stored, taken);
        assert.ok(Array.isArray(end) && end.length === refuse.length - taken.length);
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });

  it('V2, I1: after a crash between any two steps, and an ALTER, a person who says Repeat loses no record, and no token has two sets of rows', async () => {
    const shape = fc.array(fc.constantFrom('row', 'refused', 'failed'), { minLength: 3, maxLength: 3 });
    const crash = fc.record({ step: fc.nat(5), when: fc.constantFrom('before', 'after'), shape });
    const property = fc.asyncProperty(fc.array(crash, { maxLength: 5 }), shape, async (lives, last) => {
      const life = bench();
      const { log, table } = life;
      table.onUncertain = 'Repeat';
      const attempt = (fates: readonly Fate[]) => life.write(...made(fates)).catch((error: unknown) => error);
      for (const { step, when, shape: fates } of lives) {
        await Promise.race([attempt(fates), crashAt(log, table, step, when)]);
        revive(log, table);
      }
      const end = await attempt(last);
      assert.ok(Array.isArray(end), String(end));
      assert.equal(end.length, last.filter((fate) => fate === 'refused').length);
      last.forEach((fate, n) => assert.ok(fate !== 'row' || numbers(table).includes(n), `record ${n} is lost`));
      assert.deepEqual(table.mixed, []);
    });
    await fc.assert(property, { numRuns: 500 });
  });
});

type Fate = 'row' | 'refused' | 'failed';

/**
 * What a table, as it is now, makes of the records. One that refuses others has another column, too: a constraint alone
 * changes no row.
 */
function made(fates: readonly Fate[]): [MemoryRows, number[]] {
  const rows = new MemoryRows();
  fates.forEach((fate, n) => {
    if (fate !== 'failed') rows.add({ n, ...(fate === 'refused' ? { refuse: true } : {}) }, meta);
    if (fate === 'refused') rows.bytes += 2 ** n;
  });
  return [rows, fates.flatMap((fate, n) => (fate === 'failed' ? [n] : []))];
}

/** The process dies at its `nth` step: before it happens, or after it has and nobody heard of it. */
function crashAt(log: MemoryLog, table: MemoryTable, nth: number, when: 'before' | 'after'): Promise<void> {
  let steps = 0;
  return new Promise((resolve) => {
    const die = () => {
      resolve();
      return new Promise<never>(() => undefined);
    };
    let isDead = false;
    const step = (at: 'before' | 'after') => {
      if (isDead) return die();
      if (at === when && steps === nth) {
        isDead = true;
        return die();
      }
      if (at === 'after') steps++;
      return Promise.resolve();
    };
    log.step = step;
    table.beforeWrite = () => step('before');
    table.afterWrite = () => step('after');
  });
}

function revive(log: MemoryLog, table: MemoryTable): void {
  log.step = () => Promise.resolve();
  table.beforeWrite = undefined;
  table.afterWrite = undefined;
}
