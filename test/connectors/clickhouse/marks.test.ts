/**
 * What is compared with a mark, where the replica that answers may lag. The embedded ClickHouse has no Keeper, and so no
 * replicated tables: its answers are given here.
 */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { meaningOf } from '../../../connectors/clickhouse/failures.ts';
import { lagOf } from '../../../connectors/clickhouse/lag.ts';
import { Marks } from '../../../connectors/clickhouse/marks.ts';
import type { Reached } from '../../../connectors/clickhouse/reach.ts';
import { startClickHouse } from '../../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../../local/ports.ts';
import { sinkContext } from '../sink-context.ts';
import { serverWithAnswers } from './given-answers.ts';

type Answer = readonly object[] | number;

interface Answers {
  /** Rows, or the code of an error. */
  readonly replicas: Answer;
  readonly sync: Answer;
}

/** A server whose table has 40 parts here. */
async function serverThatSays({ replicas, sync }: Answers) {
  const asked: string[] = [];
  const served = await serverWithAnswers(({ query }) => {
    const what = /SYSTEM SYNC|system\.\w+/.exec(query)?.[0] ?? query;
    asked.push(what);
    const parts = [{ database: 'shop', table: 'orders', highest: 40, total: 40 }];
    const answer = what === 'system.parts' ? parts : what === 'system.replicas' ? replicas : sync;
    return typeof answer === 'number' ? { status: 500, code: answer, says: 'no' } : answer;
  });
  return { asked, ...served };
}

function table(engine: string): Reached {
  const names = { database: 'shop', name: 'orders', engine, engineFull: '', createQuery: '', digest: '' };
  return { ...names, partitionKey: '', sortingKey: '', samplingKey: '', indexes: [], views: [] };
}

const behind = (n: number) => [{ database: 'shop', table: 'orders', behind: String(n) }];

describe('M3: the most that may have been written to a table', () => {
  const { signal } = new AbortController();

  for (const [what, engine, answers, most] of [
    ['is what a replica without delay shows', 'ReplicatedMergeTree', { replicas: behind(0), sync: 497 }, 40],
    ['counts what a replica has yet to fetch', 'ReplicatedMergeTree', { replicas: behind(7), sync: 497 }, 47],
    ['is not known of a replica without Keeper', 'ReplicatedMergeTree', { replicas: [], sync: 497 }, undefined],
    ['is not known where the user may see no replicas', 'ReplicatedMergeTree', { replicas: 497, sync: 497 }, undefined],
    ['is what a replica shows that was made to fetch all', 'SharedMergeTree', { replicas: [], sync: [] }, 40],
    ['is not known of a server that cannot', 'SharedMergeTree', { replicas: [], sync: 62 }, undefined],
    ['is what a plain table shows', 'MergeTree', { replicas: 497, sync: 497 }, 40],
  ] as const) {
    it(what, async () => {
      const { asked, client, close } = await serverThatSays(answers);
      const most40 = await new Marks(client, table(engine), sinkContext().clock, 10).most(signal);
      deepEqual(most40, most === undefined ? {} : { '`shop`.`orders`': most });
      // Counted before, what comes in between would be missing.
      equal(asked.at(-1), 'system.parts');
      await close();
    });
  }

  it('is asked for again while the server does not answer', async () => {
    const { client, close } = await serverThatSays({ replicas: 202, sync: 497 });
    await rejects(new Marks(client, table('ReplicatedMergeTree'), sinkContext().clock, 10).most(signal), /no/);
    await close();
  });

  it('R4: is asked in words that a real server understands', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-clickhouse-'));
    const clickhouse = await startClickHouse({ dir, port: await freePort() });
    const client = createClient({ url: clickhouse.url });
    const lag = lagOf(client, [{ database: 'shop', name: 'orders' }], signal);
    // There is no such table; the question before that is in order.
    await rejects(lag, (error) => meaningOf(error) === 'missing');
    await client.close();
    await clickhouse.stop();
    await rm(dir, { recursive: true });
  });

  it('M1: a mark itself counts only what is there', async () => {
    const { client, close } = await serverThatSays({ replicas: behind(7), sync: 497 });
    const mark = await new Marks(client, table('ReplicatedMergeTree'), sinkContext().clock, 10).recent(signal);
    deepEqual(mark, { '`shop`.`orders`': 40 });
    await close();
  });
});
