/**
 * Writes what is generated from the schemas and from the tables of errors, conditions and rights: the CRD, the reference
 * pages, the API's OpenAPI document, and the files of the chart that are no templates. With `--check` it writes nothing and fails when a file differs from what it
 * would write.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { admissionPolicyYaml } from '../crds/admission-policy.ts';
import { pipelineCrdYaml } from '../crds/crd.ts';
import { conditionsPage, errorsPage, generated, pipelinePage } from '../crds/reference.ts';
import { expressionsPage } from '../crds/reference-expressions.ts';
import { chartReadme } from '../deploy/chart/readme.ts';
import {
  chartYaml,
  defaultsYaml,
  profilesYaml,
  identityRightsYaml,
  rightsYaml,
  valuesSchemaJson,
  valuesYaml,
  webhookRightsYaml,
} from '../deploy/chart/render.ts';
import packageJson from '../package.json' with { type: 'json' };
import { openApiText } from '../workers/api/openapi-text.ts';

const release = z.object({ version: z.string(), description: z.string() }).parse(packageJson);

const files: Readonly<Record<string, () => string | Promise<string>>> = {
  'crds/millrace.io_pipelines.yaml': pipelineCrdYaml,
  'docs/reference/pipeline.md': pipelinePage,
  'docs/reference/errors.md': errorsPage,
  'docs/reference/conditions.md': conditionsPage,
  'docs/reference/expressions.md': () => expressionsPage(generated),
  'docs/reference/openapi.json': openApiText,
  'deploy/chart/millrace/Chart.yaml': () => chartYaml(release),
  'deploy/chart/millrace/README.md': chartReadme,
  'deploy/chart/millrace/values.yaml': valuesYaml,
  'deploy/chart/millrace/values.schema.json': valuesSchemaJson,
  'deploy/chart/millrace/files/crds.yaml': pipelineCrdYaml,
  'deploy/chart/millrace/files/admission-policy.yaml': admissionPolicyYaml,
  'deploy/chart/millrace/files/defaults.yaml': defaultsYaml,
  'deploy/chart/millrace/files/profiles.yaml': profilesYaml,
  'deploy/chart/millrace/files/identity-rights.yaml': identityRightsYaml,
  'deploy/chart/millrace/files/rights.yaml': rightsYaml,
  'deploy/chart/millrace/files/webhook-rights.yaml': webhookRightsYaml,
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
