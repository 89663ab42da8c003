import assert from 'node:assert/strict';
import type { BufferedMetricUpdate } from '@temporalio/worker';
import { SdkMetrics } from '../../../workers/lifecycle/sdk-metrics.ts';

type Update = Pick<BufferedMetricUpdate, 'value' | 'attributes'> & { readonly metric: BufferedMetricUpdate['metric'] };

function update(
  name: string,
  kind: 'counter' | 'gauge' | 'histogram',
  value: number,
  attributes: Record<string, string> = {},
): Update {
  return { value, attributes, metric: { name, kind, valueType: 'float', description: `about ${name}` } };
}

async function shown(...scrapes: Update[][]): Promise<string> {
  const left = [...scrapes];
  const metrics = new SdkMetrics({ retrieveUpdates: () => (left.shift() ?? []).values() });
  let text = '';
  for (let i = 0; i < scrapes.length; i += 1) text = await metrics.metrics();
  metrics.close();
  return text;
}

describe('metrics of the Temporal SDK', () => {
  it('adds up counters by their labels, over scrapes', async () => {
    const provision = { type: 'provision', outcome: 'done' };
    const text = await shown(
      [update('operations', 'counter', 1, provision), update('operations', 'counter', 1, { type: 'pause' })],
      [update('operations', 'counter', 2, provision)],
    );
    assert.ok(text.includes('# TYPE operations counter\n'));
    assert.ok(text.includes('operations{outcome="done",type="provision"} 3\n'), text);
    assert.ok(text.includes('operations{type="pause"} 1\n'));
  });

  it('keeps the last value of a gauge', async () => {
    assert.ok((await shown([update('slots', 'gauge', 5), update('slots', 'gauge', 3)])).includes('slots 3\n'));
  });

  it('counts a duration in every bucket that it fits in', async () => {
    const text = await shown([update('latency', 'histogram', 0.05), update('latency', 'histogram', 700)]);
    assert.ok(text.includes('latency_bucket{le="0.02"} 0\nlatency_bucket{le="0.1"} 1\n'), text);
    assert.ok(text.includes('latency_bucket{le="600"} 1\nlatency_bucket{le="+Inf"} 2\n'));
    assert.ok(text.includes('latency_sum 700.05\nlatency_count 2\n'));
  });

  it('quotes labels, whatever is in them', async () => {
    assert.ok(
      (await shown([update('a', 'counter', 1, { 'task.queue': 'x"y\n' })])).includes('a{task_queue="x\\"y\\n"} 1'),
    );
  });
});
