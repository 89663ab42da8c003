/**
 * Writes what is generated from the schemas and from the tables of errors and conditions: the CRD, the reference
 * pages and the API's OpenAPI document. With `--check` it writes nothing and fails when a file differs from what it
 * would write.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { pipelineCrdYaml } from '../crds/crd.ts';
import { conditionsPage, errorsPage, generated, pipelinePage } from '../crds/reference.ts';
import { expressionsPage } from '../crds/reference-expressions.ts';
import { openApiText } from '../workers/api/openapi-text.ts';

const files: Readonly<Record<string, () => string | Promise<string>>> = {
  'crds/millrace.io_pipelines.yaml': pipelineCrdYaml,
  'docs/reference/pipeline.md': pipelinePage,
  'docs/reference/errors.md': errorsPage,
  'docs/reference/conditions.md': conditionsPage,
  'docs/reference/expressions.md': () => expressionsPage(generated),
  'docs/reference/openapi.json': openApiText,
};

const isCheck = process.argv.includes('--check');
let stale = 0;
for (const [name, render] of Object.entries(files)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const wanted = await render();
  if ((await readFile(path, 'utf8').catch(() => undefined)) === wanted) continue;
  if (isCheck) {
    stale++;
    process.stderr.write(`${name} is not up to date; run \`npm run generate\`\n`);
  } else {
    await writeFile(path, wanted);
    process.stdout.write(`wrote ${name}\n`);
  }
}
if (stale > 0) process.exitCode = 1;
