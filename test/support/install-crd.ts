/** The CRD of Pipeline, as it is shipped, on a real API server. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Kube } from '../../kubernetes/kube.ts';
import { kind } from '../../model/names.ts';
import { eventually } from './eventually.ts';

/** Resolves when pipelines can be listed. */
export async function installCrd(kube: Kube): Promise<void> {
  const file = new URL('../../crds/millrace.io_pipelines.yaml', import.meta.url);
  const crd: unknown = parse(await readFile(file, 'utf8'));
  await kube.transport.send({
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: crd,
    what: 'create the CRD',
  });
  await eventually(async () => (await kube.list(kind)).items.length === 0);
}
