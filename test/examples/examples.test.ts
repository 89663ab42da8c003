import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { lintText } from '../../crds/lint.ts';
import { storedPipeline } from '../../client/wire.ts';
import { fieldManagers, kind } from '../../model/names.ts';
import { pipelineSchema, type PipelineInput } from '../../crds/pipeline.ts';
import { withDefaults } from '../../crds/defaults.ts';
import { pipelineDoor } from '../../kubernetes/pipelines.ts';
import { useCluster } from '../workers/api/cluster.ts';

const folder = join(import.meta.dirname, '../../examples');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const textOf = (file: string) => readFileSync(join(folder, file), 'utf8');

describe('examples', () => {
  const cluster = useCluster();

  it('are there', () => assert.ok(files.length >= 3));

  for (const file of files) {
    it(`${file} has nothing that lint minds`, () => assert.deepEqual(lintText(textOf(file), file), []));

    it(`${file} is taken by a real API server`, async () => {
      const namespace = await cluster().namespace();
      const example = pipelineSchema.parse(parse(textOf(file)));
      const door = pipelineDoor(cluster().kube, fieldManagers.cli, withDefaults);
      await door.apply({ ...example, metadata: { ...example.metadata, namespace } });
      const stored = storedPipeline.parse(await cluster().kube.get(kind, example.metadata.name, namespace));
      assert.equal(stored.spec.sinks.length, example.spec.sinks.length);
    });

    it(`${file} takes nothing from a tool that applied the same file before`, async () => {
      const namespace = await cluster().namespace();
      const example: PipelineInput = z.custom<PipelineInput>().parse(parse(textOf(file)));
      const asWritten = { ...example, metadata: { ...example.metadata, namespace } };
      const first = await pipelineDoor(cluster().kube, 'another-tool', withDefaults).apply(asWritten);
      const second = await pipelineDoor(cluster().kube, fieldManagers.cli, withDefaults).apply(asWritten);
      assert.deepEqual(second.spec, first.spec);
      assert.equal(second.metadata.generation, 1);
    });

    it(`${file} holds no secret: passwords and tokens are references`, () => {
      const wrong = textOf(file)
        .split('\n')
        .filter(
          (line) =>
            !line.trim().startsWith('#') && /(password|token|username): (?!\$\(secret:|app$|postgres$)/.test(line),
        );
      assert.deepEqual(wrong, []);
    });
  }

  it('rest/pipeline.sh is a shell script that parses', async () => {
    await promisify(execFile)('sh', ['-n', join(folder, 'rest/pipeline.sh')]);
  });
});
