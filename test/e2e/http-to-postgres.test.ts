import assert from 'node:assert/strict';
import pg from 'pg';
import { z } from 'zod';
import { apiVersion, kind, labels } from '../../model/names.ts';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { eventually } from '../support/eventually.ts';
import { killPod, podProcesses } from './support/pods.ts';
import { deletePipeline, untilCondition, untilGone } from './support/resource.ts';
import { useStack } from './support/stack.ts';

const requests = 60;
const eventsOfRequest = 50;

const accepted = z.object({ accepted: z.number(), duplicate: z.boolean().optional() });
const counted = z.tuple([z.object({ rows: z.coerce.number(), ids: z.coerce.number() })]);

describe('events by HTTP into PostgreSQL', function () {
  const stack = useStack();
  let postgres: pg.Client;

  before(async () => {
    postgres = new pg.Client({ connectionString: stack().postgresUrl });
    await postgres.connect();
    // The example of that name has made a table with other columns, on the same stack.
    await postgres.query('DROP TABLE IF EXISTS events');
  });
  after(() => postgres.end());

  it('each is a row once, though requests are repeated under their key and both pods are killed meanwhile', async () => {
    const { kubectl } = stack();
    await kubectl.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'events', namespace: 'default' },
      stringData: { password: decodeURIComponent(new URL(stack().postgresUrl).password) },
    });
    await kubectl.apply(eventsPipeline(new URL(stack().postgresUrl)));
    await untilCondition(kubectl, 'events', 'Ready', { status: 'True', reason: 'Running' });

    for (let request = 0; request < requests; request++) {
      await untilAccepted(request);
      if (request % 10 === 0) await untilAccepted(request);
      if (request === 20) await killPod(kubectl, 'events', 'ingestor-web');
      if (request === 40) await killPod(kubectl, 'events', 'sink-store');
    }

    const all = requests * eventsOfRequest;
    await eventually(async () => assert.ok((await count()).rows >= all, `${all} rows`));
    assert.deepEqual(await count(), { rows: all, ids: all });
  });

  it('a pod that hangs is killed by its liveness probe, and what was sent to it meanwhile and before is a row once', async () => {
    const { kubectl } = stack();
    const before = await count();
    const restarts = await restartsOf('ingestor-web');
    for (let request = requests; request < requests + 10; request++) await untilAccepted(request);
    for (const pid of await podProcesses(kubectl, 'events', 'ingestor-web')) process.kill(pid, 'SIGSTOP');
    const meanwhile = untilAccepted(requests + 10);
    await eventually(async () => assert.ok((await restartsOf('ingestor-web')) > restarts));
    const why = ['get', 'events', '-A', '--field-selector', 'reason=Unhealthy', '-o', 'jsonpath={..message}'];
    await eventually(async () => assert.match(await kubectl.run(why), /Liveness probe failed/));
    await meanwhile;
    await untilCondition(kubectl, 'events', 'Ready', { status: 'True', reason: 'Running' });
    const all = before.rows + 11 * eventsOfRequest;
    await eventually(async () => assert.ok((await count()).rows >= all, `${all} rows`));
    assert.deepEqual(await count(), { rows: all, ids: all });
  });

  it('an event that does not fit the schema becomes a dead letter; the others of its request arrive', async () => {
    const before = await count();
    await untilPosted('misfit', [
      { id: 1_000_000, kind: 'login' },
      { id: 'not a number', kind: 'login' },
    ]);
    await eventually(async () => assert.equal((await count()).rows, before.rows + 1));
    const pipeline = await untilCondition(stack().kubectl, 'events', 'DeadLettersEmpty', { status: 'False' });
    assert.equal(pipeline.status?.deadLetters?.records, 1);
    await deletePipeline(stack().kubectl, 'events');
    await untilGone(stack().kubectl, 'events');
  });

  async function untilAccepted(request: number): Promise<void> {
    const events = Array.from({ length: eventsOfRequest }, (_, index) => ({
      id: request * eventsOfRequest + index,
      kind: 'login',
    }));
    await untilPosted(`request-${request}`, events);
  }

  /** As a careful client does: the same request under the same key until it is accepted. */
  async function untilPosted(key: string, events: readonly object[]): Promise<void> {
    await eventually(async () => {
      const answer = await fetch(`${stack().apiUrl}/v1/namespaces/default/pipelines/events/records`, {
        method: 'POST',
        headers: { ...stack().apiToken, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(events),
      });
      const text = await answer.text();
      assert.equal(answer.status, 202, text);
      assert.equal(accepted.parse(JSON.parse(text)).accepted, events.length);
    });
  }

  async function restartsOf(stage: string): Promise<number> {
    const selector = `${labels.pipeline}=events,${labels.stage}=${stage}`;
    const path = 'jsonpath={.items[*].status.containerStatuses[*].restartCount}';
    return Number(await stack().kubectl.run(['get', 'pods', '-A', '-l', selector, '-o', path]));
  }

  async function count(): Promise<{ rows: number; ids: number }> {
    const [row] = counted.parse(
      (await postgres.query('SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM events')).rows,
    );
    return row;
  }
});

function eventsPipeline(url: URL): PipelineInput {
  return {
    apiVersion,
    kind,
    metadata: { name: 'events', namespace: 'default' },
    spec: {
      sources: [
        {
          name: 'web',
          http: {},
          schema: [
            { name: 'id', type: 'int64' },
            { name: 'kind', type: 'string' },
          ],
        },
      ],
      sinks: [
        {
          name: 'store',
          postgres: {
            host: url.hostname,
            port: Number(url.port),
            database: url.pathname.slice(1),
            username: url.username,
            password: '$(secret:events/password)',
            table: 'events',
            createTable: {
              columns: [
                { name: 'id', type: 'bigint' },
                { name: 'kind', type: 'text' },
              ],
            },
          },
          batch: { maxDelay: '200ms' },
        },
      ],
    },
  };
}
