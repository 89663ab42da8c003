/**
 * Applies the resource definitions in crds/ and waits until the API serves them.
 *
 * Server-side apply with force: the checked-in files are the truth, and a running stack takes over a newer schema at
 * its next start.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { mr } from '../../../crds/errors.ts';
import { requestApi, type ApiAccess } from '../parts/kubernetes/request.ts';

const definition = z.looseObject({
  kind: z.literal('CustomResourceDefinition'),
  metadata: z.looseObject({ name: z.string() }),
});

const served = z.looseObject({
  status: z
    .looseObject({ conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]) })
    .optional(),
});

const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const timeoutMs = 20_000;
const pollMs = 50;

export async function applyDefinitions(access: ApiAccess, dir: string): Promise<readonly string[]> {
  const files = (await readdir(dir)).filter((file) => file.endsWith('.yaml'));
  const names: string[] = [];
  for (const file of files) {
    for (const document of parseAllDocuments(await readFile(join(dir, file), 'utf8'))) {
      const crd = definition.parse(document.toJS());
      await apply(access, crd.metadata.name, JSON.stringify(crd));
      names.push(crd.metadata.name);
    }
  }
  for (const name of names) await untilEstablished(access, name);
  return names;
}

async function apply(access: ApiAccess, name: string, text: string): Promise<void> {
  const answer = await requestApi(access, 'PATCH', `${path}/${name}?fieldManager=millrace-dev&force=true`, {
    type: 'application/apply-patch+yaml',
    text,
  });
  if (answer.status === 200 || answer.status === 201) return;
  throw mr('MR_KUBERNETES_REFUSED', { object: `CustomResourceDefinition ${name}`, problem: answer.body });
}

async function untilEstablished(access: ApiAccess, name: string): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await requestApi(access, 'GET', `${path}/${name}`);
    const conditions = served.parse(JSON.parse(answer.body)).status?.conditions ?? [];
    if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) return;
    if (Date.now() > deadline) {
      throw mr('MR_KUBERNETES_REFUSED', {
        object: `CustomResourceDefinition ${name}`,
        problem: 'it is not established',
      });
    }
    await delay(pollMs);
  }
}
