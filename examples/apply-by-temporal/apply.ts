/**
 * Starts `applyPipeline` with the plain Temporal client, as a service in any language can do with its SDK.
 *
 *   npm run example examples/apply-by-temporal/apply.ts [file.yaml]
 */
import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { parse } from 'yaml';
import { z } from 'zod';

const file = process.argv[2] ?? new URL('../first-pipeline.yaml', import.meta.url);
const address = process.env['MILLRACE_TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233';

const { metadata, spec } = z
  .object({
    metadata: z.object({ name: z.string(), namespace: z.string().default('default') }),
    spec: z.looseObject({}),
  })
  .parse(parse(await readFile(file, 'utf8')));

const connection = await Connection.connect({ address });
try {
  const client = new Client({ connection });
  const handle = await client.workflow.start('applyPipeline', {
    taskQueue: 'pipelines',
    workflowId: `apply/${metadata.namespace}/${metadata.name}`,
    // The workflow keeps running when this program ends; a second start then joins the running workflow.
    workflowIdConflictPolicy: 'USE_EXISTING',
    staticSummary: `apply pipeline ${metadata.namespace}/${metadata.name}`,
    args: [{ ...metadata, spec }],
  });
  process.stderr.write(`started ${handle.workflowId}, run ${handle.firstExecutionRunId}\n`);
  process.stdout.write(`${JSON.stringify(await handle.result(), undefined, 2)}\n`);
} finally {
  await connection.close();
}
