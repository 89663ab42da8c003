import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelineInput } from '../../crds/pipeline.ts';
import { startClickHouse, type ClickHouse } from '../../local/clickhouse/clickhouse.ts';
import { freePort } from '../../local/ports.ts';
import { eventually } from '../support/eventually.ts';
import { Warehouse } from './support/clickhouse.ts';
import { expectedOrders, orderJson, Topic } from './support/orders.ts';
import { ordersColumns, ordersPipeline } from './support/pipelines.ts';
import { condition, deletePipeline, getPipeline, patchSpec, untilCondition, untilGone } from './support/resource.ts';
import { useStack } from './support/stack.ts';

const records = 5_000;
const guardedPassword = 'correct horse battery';

describe('bad input', function () {
  const stack = useStack();

  // A second ClickHouse endpoint that asks for a password; the stack's own does not.
  let endpoint: ClickHouse;
  let guarded: Warehouse;
  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-guarded-'));
    endpoint = await startClickHouse({ dir, port: await freePort(), user: 'default', password: guardedPassword });
    guarded = new Warehouse(endpoint.url, guardedPassword);
  });
  after(async () => {
    await guarded.close();
    await endpoint.stop();
  });

  function guardedPipeline(name: string, password: string): PipelineInput {
    const pipeline = ordersPipeline({ ...options(name), clickhouseUrl: endpoint.url });
    const [sink] = pipeline.spec.sinks;
    assert.ok(sink?.clickhouse);
    return {
      ...pipeline,
      spec: { ...pipeline.spec, sinks: [{ ...sink, clickhouse: { ...sink.clickhouse, password } }] },
    };
  }

  const options = (name: string) => ({
    name,
    brokers: stack().kafkaBrokers,
    topic: name,
    clickhouseUrl: stack().clickhouseUrl,
    table: name.replaceAll('-', '_'),
  });

  async function topicOfOrders(name: string): Promise<Topic> {
    const topic = new Topic(stack().kafkaBrokers, name, 4);
    await topic.create();
    await topic.produceOrders(0, records);
    return topic;
  }

  async function allRowsArriveOnce(table: string, warehouse = stack().warehouse): Promise<void> {
    const expected = expectedOrders(0, records);
    await eventually(async () => assert.ok((await warehouse.count(table)) >= expected.rows));
    assert.deepEqual(await warehouse.totals(table), { rows: expected.rows, ids: expected.rows, total: expected.total });
  }

  async function remove(name: string): Promise<void> {
    const { kubectl } = stack();
    await patchSpec(kubectl, name, { deletionPolicy: 'Immediate' });
    await deletePipeline(kubectl, name);
    await untilGone(kubectl, name);
  }

  it('an unknown field is refused by apply, which names it', async () => {
    const pipeline = ordersPipeline(options('unknown-field'));
    const { code, stderr } = await stack().kubectl.try(
      ['apply', '-f', '-'],
      JSON.stringify({ ...pipeline, spec: { ...pipeline.spec, sorces: [] } }),
    );
    assert.notEqual(code, 0);
    assert.match(stderr, /sorces/);
  });

  it('two connectors in one source are refused by apply', async () => {
    const pipeline = ordersPipeline(options('two-connectors'));
    const [source] = pipeline.spec.sources;
    const { code, stderr } = await stack().kubectl.try(
      ['apply', '-f', '-'],
      JSON.stringify({ ...pipeline, spec: { ...pipeline.spec, sources: [{ ...source, http: {} }] } }),
    );
    assert.notEqual(code, 0);
    assert.match(stderr, /exactly one/i);
  });

  it('an expression with a typo stalls the pipeline with the field in the message, and a correction heals it', async () => {
    const { kubectl } = stack();
    await topicOfOrders('typo');
    await kubectl.apply(ordersPipeline({ ...options('typo'), where: "recrod.status == 'paid'" }));
    const stalled = await untilCondition(kubectl, 'typo', 'Accepted', { status: 'False' });
    assert.match(condition(stalled, 'Accepted')?.message ?? '', /steps.*recrod/s);
    assert.equal(condition(stalled, 'Stalled')?.status, 'True');
    await kubectl.apply(ordersPipeline(options('typo')));
    await allRowsArriveOnce('typo');
    await remove('typo');
  });

  it('a missing Secret is named by the status; when it appears the pipeline goes on by itself', async () => {
    const { kubectl } = stack();
    await topicOfOrders('no-secret');
    await kubectl.apply(guardedPipeline('no-secret', '$(secret:warehouse-login/password)'));
    await eventually(async () => {
      const status = (await getPipeline(kubectl, 'no-secret'))?.status;
      assert.match(JSON.stringify(status ?? {}), /warehouse-login/);
    });
    await kubectl.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'warehouse-login', namespace: 'default' },
      stringData: { password: guardedPassword },
    });
    await untilCondition(kubectl, 'no-secret', 'Ready', { status: 'True', reason: 'Running' });
    await allRowsArriveOnce('no_secret', guarded);
    await remove('no-secret');
  });

  it('an unreachable broker is named by SourceConnected; once it is reachable all records arrive', async () => {
    const { kubectl, startForwarder } = stack();
    await topicOfOrders('unreachable');
    const port = await freePort();
    await kubectl.apply(ordersPipeline({ ...options('unreachable'), brokers: [`127.0.0.1:${port}`] }));
    const refused = await untilCondition(kubectl, 'unreachable', 'SourceConnected', {
      status: 'False',
      reason: 'SourceUnreachable',
    });
    assert.match(condition(refused, 'SourceConnected')?.message ?? '', new RegExp(`127\\.0\\.0\\.1:${port}`));
    const forwarder = await startForwarder(port);
    try {
      await untilCondition(kubectl, 'unreachable', 'Ready', { status: 'True', reason: 'Running' });
      await allRowsArriveOnce('unreachable');
    } finally {
      await forwarder.close();
    }
    await remove('unreachable');
  });

  it('a wrong ClickHouse password is named by SinkConnected; the right one heals it and nothing is lost', async () => {
    const { kubectl } = stack();
    await topicOfOrders('wrong-password');
    const secret = (password: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'rotated-login', namespace: 'default' },
      stringData: { password },
    });
    await kubectl.apply(secret('not the password'));
    await kubectl.apply(guardedPipeline('wrong-password', '$(secret:rotated-login/password)'));
    const rejected = await untilCondition(kubectl, 'wrong-password', 'SinkConnected', {
      status: 'False',
      reason: 'SinkAuthRejected',
    });
    assert.doesNotMatch(JSON.stringify(rejected), /not the password/, 'the secret is in no status');
    await kubectl.apply(secret(guardedPassword));
    await untilCondition(kubectl, 'wrong-password', 'SinkConnected', { status: 'True' });
    await allRowsArriveOnce('wrong_password', guarded);
    await remove('wrong-password');
  });

  it('a table that does not exist is named by SinkConnected; once it is made all rows arrive', async () => {
    const { kubectl, warehouse } = stack();
    await topicOfOrders('no-table');
    await kubectl.apply(ordersPipeline({ ...options('no-table'), createTable: false }));
    const missing = await untilCondition(kubectl, 'no-table', 'SinkConnected', {
      status: 'False',
      reason: 'SinkTableMissing',
    });
    assert.match(condition(missing, 'SinkConnected')?.message ?? '', /no_table/);
    const columns = ordersColumns.map(({ name, type }) => `${name} ${type}`).join(', ');
    await warehouse.command(
      `CREATE TABLE no_table (${columns}) ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 1000`,
    );
    await untilCondition(kubectl, 'no-table', 'Ready', { status: 'True', reason: 'Running' });
    await allRowsArriveOnce('no_table');
    await remove('no-table');
  });

  it('a record that is not JSON becomes a dead letter, is counted, and the others arrive', async () => {
    const { kubectl } = stack();
    const topic = new Topic(stack().kafkaBrokers, 'not-json', 4);
    await topic.create();
    const values = Array.from({ length: records }, (_, id) => orderJson(id));
    await topic.produceRaw([...values, 'this is not JSON', '[1, 2]', '{"id": 1']);
    await kubectl.apply(ordersPipeline(options('not-json')));
    await allRowsArriveOnce('not_json');
    const pipeline = await untilCondition(kubectl, 'not-json', 'DeadLettersEmpty', { status: 'False' });
    assert.equal(pipeline.status?.deadLetters?.records, 3);
    await remove('not-json');
  });
});
