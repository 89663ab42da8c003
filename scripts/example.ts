/** The example pipeline of `npm start`: applied, watched and deleted through the Kubernetes API, as kubectl would. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { storedPipeline, type StoredPipeline } from '../client/wire.ts';
import { changes } from '../cli/progress.ts';
import { mr } from '../model/errors.ts';
import { canonicalJson, toJson } from '../model/json.ts';
import { apiVersion, fieldManagers, kind, labels, plural } from '../model/names.ts';
import { requestApi, type ApiAccess } from '../local/parts/kubernetes/request.ts';

export interface Example {
  readonly name: string;
  /** Table of its sink. */
  readonly table: string;
  /** Where its rows are looked for. */
  readonly clickhouseUrl: string;
}

const file = join(import.meta.dirname, '../examples/first-pipeline.yaml');
const path = (name: string) => `/apis/${apiVersion}/namespaces/default/${plural}/${name}`;
const pollMs = 250;

/**
 * The annotation with which `kubectl apply` compares a file. Without it, a person's first `kubectl apply` of the same
 * file would warn that the pipeline was not created by `kubectl apply`.
 */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Byte for byte as kubectl writes it. */
function asKubectlKeepsIt(pipeline: unknown): string {
  const { metadata, ...rest } = z.looseObject({ metadata: z.looseObject({}) }).parse(pipeline);
  return `${canonicalJson(toJson({ ...rest, metadata: { ...metadata, annotations: {}, namespace: 'default' } }))}\n`;
}

/**
 * Server-side apply of examples/first-pipeline.yaml, with another name and table when they are asked for, under the
 * field manager of the command: a later `millrace apply` then meets no other owner.
 */
export async function applyExample(access: ApiAccess, { name, table }: Omit<Example, 'clickhouseUrl'>): Promise<void> {
  const document = parseDocument(await readFile(file, 'utf8'));
  document.setIn(['metadata', 'name'], name);
  document.setIn(['spec', 'sinks', 0, 'clickhouse', 'table'], table);
  await applyAs(access, fieldManagers.cli, name, document.toString());
  const annotations = { [lastApplied]: asKubectlKeepsIt(document.toJS()) };
  const note = { apiVersion, kind, metadata: { name, annotations } };
  // Owned by another manager: `millrace apply` drops fields that it does not name.
  await applyAs(access, 'npm-start', name, JSON.stringify(note));
}

async function applyAs(access: ApiAccess, manager: string, name: string, text: string): Promise<void> {
  const type = 'application/apply-patch+yaml';
  const answer = await requestApi(access, 'PATCH', `${path(name)}?fieldManager=${manager}&force=true`, { type, text });
  if (answer.status !== 200 && answer.status !== 201) {
    throw mr('MR_KUBERNETES_REFUSED', { object: `Pipeline ${name}`, problem: answer.body });
  }
}

export async function readExample(access: ApiAccess, name: string): Promise<StoredPipeline | undefined> {
  const answer = await requestApi(access, 'GET', path(name));
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) {
    throw mr('MR_KUBERNETES_REFUSED', { object: `Pipeline ${name}`, problem: answer.body });
  }
  return storedPipeline.parse(JSON.parse(answer.body));
}

/** Prints changes of its status until `done`, which is checked after each read. */
export async function followExample(
  access: ApiAccess,
  name: string,
  options: {
    readonly until: (pipeline: StoredPipeline | undefined) => boolean | Promise<boolean>;
    readonly say: (line: string) => void;
    readonly signal: AbortSignal;
    /** What was already printed. */
    readonly since?: StoredPipeline['status'];
  },
): Promise<void> {
  let before = options.since;
  for (;;) {
    const pipeline = await readExample(access, name);
    if (pipeline) for (const line of changes(before, pipeline.status)) options.say(`  ${line}`);
    before = pipeline?.status;
    if (await options.until(pipeline)) return;
    await delay(pollMs, undefined, { signal: options.signal });
  }
}

/** Requests deletion; false when the pipeline does not exist. It is gone when its teardown has run. */
export async function deleteExample(access: ApiAccess, name: string): Promise<boolean> {
  const answer = await requestApi(access, 'DELETE', path(name));
  if (answer.status === 404) return false;
  if (answer.status === 200 || answer.status === 202) return true;
  throw mr('MR_KUBERNETES_REFUSED', { object: `Pipeline ${name}`, problem: answer.body });
}

/** Kinds and names of objects that still carry the pipeline's label, to show that teardown leaves nothing. */
export async function leftOf(access: ApiAccess, uid: string): Promise<readonly string[]> {
  const selector = `labelSelector=${encodeURIComponent(`${labels.pipelineUid}=${uid}`)}`;
  const lists = ['api/v1/namespaces', 'api/v1/pods', 'api/v1/secrets', 'api/v1/configmaps', 'apis/apps/v1/deployments'];
  const left: string[] = [];
  for (const list of lists) {
    const answer = await requestApi(access, 'GET', `/${list}?${selector}`, undefined);
    for (const [, name = ''] of answer.body.matchAll(/"metadata":\{"name":"([^"]+)"/g)) {
      left.push(`${list.split('/').at(-1) ?? ''}/${name}`);
    }
  }
  return left;
}
