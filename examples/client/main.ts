/**
 * Applies a pipeline, waits until it is ready, pauses and resumes it, and deletes it.
 *
 *   npm run example examples/client/main.ts
 */
import { definePipeline, Millrace, MillraceProblem, NotSettled } from 'millrace';

const orders = definePipeline({
  name: 'orders-by-client',
  labels: { team: 'shop' },
  spec: {
    sources: [{ name: 'orders', generator: { rate: 100, fields: [{ name: 'id', kind: 'Sequence' }] } }],
    steps: [{ name: 'even', filter: { where: 'int(record.id) % 2 == 0' } }],
    sinks: [
      {
        name: 'warehouse',
        clickhouse: {
          url: '$(configMap:local-stack/clickhouse)',
          table: 'orders_by_client',
          createTable: { columns: [{ name: 'id', type: 'UInt64' }], orderBy: ['id'] },
        },
      },
    ],
  },
});

await using millrace = await Millrace.connect({ api: process.env['MILLRACE_API'] ?? 'http://127.0.0.1:8088' });
const { pipelines } = millrace;
const at = orders.metadata;

try {
  const applied = await pipelines.apply(orders);
  say(`generation ${applied.generation}, operation ${applied.operation?.id ?? 'none: nothing changed'}`);
  await pipelines.waitReady(at, { generation: applied.generation });
  say('ready');

  const paused = await pipelines.pause(at);
  await pipelines.waitReady(at, { generation: paused.generation });
  say('paused: no row arrives from now on');

  const resumed = await pipelines.resume(at);
  await pipelines.waitReady(at, { generation: resumed.generation });
  say('running again');

  const deleted = await pipelines.delete(at);
  say(`deletion: ${deleted.operation?.state ?? 'done'}`);
} catch (error) {
  if (error instanceof MillraceProblem) say(`refused: ${error.message} ${JSON.stringify(error.problem.errors ?? [])}`);
  else if (error instanceof NotSettled) say(error.message);
  else throw error;
  process.exitCode = 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
