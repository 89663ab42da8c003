/** Applies the resource definitions in crds/ and waits until the API serves them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { applyTo } from '../parts/kubernetes/apply.ts';
import { requestApi, type ApiAccess } from '../parts/kubernetes/request.ts';

const definition = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal('CustomResourceDefinition'),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    group: z.string(),
    names: z.looseObject({ plural: z.string() }),
    versions: z.array(z.looseObject({ name: z.string(), served: z.boolean() })),
  }),
});

type Definition = z.infer<typeof definition>;

const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** Only a server that is broken takes so long: a busy machine alone has needed two minutes. */
const timeoutMs = 900_000;
const pollMs = 50;

/** The names of what was applied. */
export async function applyDefinitions(access: ApiAccess, dir: string): Promise<readonly string[]> {
  const files = (await readdir(dir)).filter((file) => file.endsWith('.yaml'));
  const applied: Definition[] = [];
  for (const file of files) {
    for (const document of parseAllDocuments(await readFile(join(dir, file), 'utf8'))) {
      const crd = definition.parse(document.toJS());
      await applyTo(access, path, crd);
      applied.push(crd);
    }
  }
  for (const crd of applied) await untilServed(access, crd);
  return applied.map((crd) => crd.metadata.name);
}

/**
 * Lists of every served version answer. The condition Established comes earlier: until the storage of a new kind is
 * ready, the API answers 404, and until its cache is, 429. A list with a limit does not ask the cache.
 */
async function untilServed(access: ApiAccess, { metadata, spec }: Definition): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (const version of spec.versions.filter(({ served }) => served)) {
    const list = `/apis/${spec.group}/${version.name}/${spec.names.plural}`;
    while ((await requestApi(access, 'GET', list)).status !== 200) {
      if (Date.now() > deadline) {
        const problem = `${list} is not served`;
        throw mr('MR_KUBERNETES_REFUSED', { object: `CustomResourceDefinition ${metadata.name}`, problem });
      }
      await delay(pollMs);
    }
  }
}
