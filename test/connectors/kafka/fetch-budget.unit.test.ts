import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Cluster, FetchRequest } from '../../../connectors/kafka/cluster.ts';
import type { FetchResponse } from '../../../connectors/kafka/fetch-response.ts';
import { FetchBudget } from '../../../connectors/kafka/fetch-budget.ts';
import { Leader, type LeaderEvents } from '../../../connectors/kafka/leader.ts';
import { Partition } from '../../../connectors/kafka/partition.ts';

const smallest = 64 * 1024;
const mebibyte = 2 ** 20;

/** A leader whose broker answers when the test says so. */
class Fetching {
  readonly partition = new Partition(0, 0, 'earliest');
  readonly leader: Leader;
  readonly asked: number[] = [];
  /** Bytes of answers that came and that nobody has taken out so far. */
  readonly #unread: number[] = [];
  #answer: ((bytes: number) => void) | undefined;

  constructor(budget: FetchBudget) {
    const connection = {
      fetch: ({ maxBytes }: FetchRequest) => {
        this.asked.push(maxBytes);
        return new Promise<FetchResponse>((resolve) => {
          this.#answer = (bytes) => resolve(answerOf(bytes));
        });
      },
      close: () => undefined,
    };
    const cluster: Pick<Cluster, 'fetchConnection'> = { fetchConnection: () => Promise.resolve(connection) };
    const limits = {
      partitionMaxBytes: mebibyte,
      maxBytes: 4 * mebibyte,
      maxInflatedBytes: 64 * mebibyte,
      maxWaitMs: 1,
    };
    this.leader = new Leader(1, cluster, { name: 'orders', id: undefined }, { ...limits, budget }, deaf);
  }

  get unread(): number {
    return this.#unread.reduce((sum, bytes) => sum + bytes, 0);
  }

  async fetch(): Promise<void> {
    this.leader.fetch([this.partition]);
    await settled();
  }

  /** What was asked for, or so much of it. */
  async answer(share: number, oversize: number): Promise<number> {
    const answer = this.#answer;
    const asked = this.asked.at(-1);
    if (answer === undefined || asked === undefined) return 0;
    this.#answer = undefined;
    const bytes = oversize > 0 ? asked + oversize : share < 0.1 ? 0 : Math.floor(asked * share);
    answer(bytes);
    await settled();
    if (bytes > 0) this.#unread.push(bytes);
    return Math.max(0, bytes - asked);
  }

  take(): void {
    if (this.leader.take() !== undefined) this.#unread.shift();
  }

  async close(): Promise<void> {
    this.leader.close();
    await this.answer(1, 0);
    this.#unread.length = 0;
  }
}

describe('the budget of fetches', () => {
  const act = fc.record({
    who: fc.nat(39),
    what: fc.constantFrom('fetch', 'fetch', 'answer', 'answer', 'take', 'close'),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    oversize: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 3 * mebibyte })),
  });

  it('B2: all leaders of all slots hold no more than the budget, and what one batch or a smallest answer each adds', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 64 }), fc.array(act, { maxLength: 200 }), async (mebibytes, acts) => {
        const total = mebibytes * mebibyte;
        const budget = new FetchBudget(total);
        const all = new Map<number, Fetching>();
        let leaders = 0;
        let oversized = 0;
        for (const { who, what, share, oversize } of acts) {
          const one = all.get(who) ?? new Fetching(budget);
          all.set(who, one);
          leaders = Math.max(leaders, all.size);
          if (what === 'fetch') await one.fetch();
          else if (what === 'answer') oversized += await one.answer(share, oversize);
          else if (what === 'take') one.take();
          else {
            await one.close();
            all.delete(who);
          }
          const unread = [...all.values()].reduce((sum, each) => sum + each.unread, 0);
          assert.ok(unread <= budget.heldBytes, `${unread} bytes are held, ${budget.heldBytes} are counted`);
          assert.ok(budget.heldBytes <= total + leaders * 2 * smallest + oversized, `${budget.heldBytes} of ${total}`);
        }
        for (const one of all.values()) await one.close();
        assert.equal(budget.heldBytes, 0);
      }),
    ));

  it('B1: whoever comes last still fetches, although the others hold all there is and read nothing', async () => {
    const budget = new FetchBudget(16 * mebibyte);
    const others = Array.from({ length: 4 }, () => new Fetching(budget));
    for (const one of others) {
      await one.fetch();
      await one.answer(1, 0);
      one.take();
      await one.fetch();
      await one.answer(1, 0);
    }
    const last = new Fetching(budget);
    await last.fetch();
    assert.ok((last.asked[0] ?? 0) >= smallest);
  });

  it('one slot with one leader asks for as much as it may', async () => {
    const only = new Fetching(new FetchBudget(32 * mebibyte));
    await only.fetch();
    assert.deepEqual(only.asked, [4 * mebibyte]);
  });
});

const deaf: LeaderEvents = {
  changed: () => undefined,
  answered: () => undefined,
  sawEnd: () => undefined,
  refused: () => undefined,
  failed: (_node, error) => assert.fail(String(error)),
};

/** Bytes that are no batch: they become a section all the same, and the partition stands where it stood. */
function answerOf(bytes: number): FetchResponse {
  const rest = { errorCode: 0, highWatermark: 1, logStartOffset: 0, aborted: [] };
  return {
    clientSideThrottleTime: 0,
    errorCode: 0,
    partitions: [{ partition: 0, ...rest, records: new Uint8Array(bytes) }],
  };
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
