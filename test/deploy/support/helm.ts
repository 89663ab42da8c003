/** The helm command with the chart of this repository. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { resolveBinary } from '../../../local/binaries/resolve.ts';

const run = promisify(execFile);

export const chart = fileURLToPath(new URL('../../../deploy/chart/millrace', import.meta.url));
export const namespace = 'millrace-system';

/** `--set` arguments. */
export type Values = readonly string[];

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type Rendered = z.output<typeof objectSchema>;

/** Resolves with what it prints. Rejects with what it says. */
export async function helm(args: readonly string[], kubeconfig = '/dev/null'): Promise<string> {
  const { stdout } = await run(await resolveBinary('helm'), args, {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    maxBuffer: 2 ** 26,
  });
  return stdout;
}

export const setting = (values: Values) => values.flatMap((value) => ['--set', value]);

/** Every object that the chart renders without asking a cluster. `kinds`: those that a cluster has besides its own. */
export async function render(values: Values, kinds: readonly string[] = []): Promise<readonly Rendered[]> {
  const apis = kinds.flatMap((kind) => ['--api-versions', kind]);
  const text = await helm(['template', 'millrace', chart, '--namespace', namespace, ...apis, ...setting(values)]);
  return objectsIn(text);
}

function objectsIn(text: string): readonly Rendered[] {
  return parseAllDocuments(text).flatMap((document) => {
    const content: unknown = document.toJS();
    return content === null ? [] : [objectSchema.parse(content)];
  });
}
