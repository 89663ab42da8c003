/**
 * The pipelines of a cluster, as seen by people and programs outside. The API and the CLI both use this.
 *
 * D1  Every write is a server-side apply under the field manager of its entry point, so that other tools keep their
 *     fields; but for D7.
 * D2  A field that another tool owns is taken over only by `force`; otherwise MR_PIPELINE_CONFLICT names the owner.
 *     Between Millrace's own entry points the last writer wins.
 * D3  Pause, resume and a decision own one field each time, under a manager of their own: an apply under the entry
 *     point's manager would drop every field that it has applied before.
 * D4  A change or deletion affects the object that was read (by UID), never a new one with the same name.
 * D6  What the document leaves out and another tool manages would stay without a word: it is a conflict like a value that
 *     differs, and `force` takes it over (`./kept-fields.ts`).
 * D7  `force` makes the spec what the document says, in one write, whoever has set what else is there. An apply that is
 *     refused has taken nothing over, and a dry run asks for the same write. What follows changes only who owns what; a
 *     crash before it leaves the other tools their fields, and the next apply names them.
 */
import { z } from 'zod';
import { mr, MillraceError } from '../model/errors.ts';
import { annotations, apiVersion, isOwnManager, kind, namespaceOf, pidOf } from '../model/names.ts';
import type { DesiredState } from '../model/plan.ts';
import type { PipelineStatus } from '../model/status.ts';
import type { Stored } from '../model/stored-pipeline.ts';
import type { PipelineInput, PipelineSpec } from '../crds/pipeline.ts';
import { ask, askObject } from './ask.ts';
import { applyType } from './asked.ts';
import { untilNoConflict } from './conflicts.ts';
import {
  hasUpdated,
  keptFields,
  leftUnderForce,
  othersWords,
  pathText,
  takenOver,
  type KeptField,
} from './kept-fields.ts';
import { KubeError } from './kube-error.ts';
import { unlessAbsent, type Kube } from './kube.ts';
import { objectSchema, pathOf, type KubeObject } from './objects.ts';
import { pageOf } from './pages.ts';
import type { Situation } from './verdicts.ts';

/** A pipeline with its defaults and its status. */
export type StoredPipeline = Stored<PipelineSpec>;

export interface ListQuery {
  /** Null: all namespaces, or all that are watched (`./confined.ts`). */
  readonly namespace: string | null;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export interface PipelinePage {
  readonly items: readonly StoredPipeline[];
  readonly continue?: string;
  readonly resourceVersion: string;
}

export interface ApplyOptions {
  readonly dryRun?: boolean;
  /** Takes fields that another tool owns (D2). */
  readonly force?: boolean;
}

export interface PipelineDoor {
  /** Throws MR_PIPELINE_NOT_FOUND. */
  get(namespace: string, name: string): Promise<StoredPipeline>;
  /** Null: there is no pipeline of this name. */
  find(namespace: string, name: string): Promise<StoredPipeline | null>;
  /** One page. */
  list(query: ListQuery): Promise<PipelinePage>;
  apply(pipeline: PipelineInput, options?: ApplyOptions): Promise<StoredPipeline>;
  setDesiredState(
    pipeline: StoredPipeline,
    state: DesiredState,
    options?: { dryRun?: boolean },
  ): Promise<StoredPipeline>;
  /** Says what a person has decided (model/decision.ts). */
  decide(pipeline: StoredPipeline, decision: string): Promise<StoredPipeline>;
  /** Makes deletion wait for nothing. */
  orphan(pipeline: StoredPipeline): Promise<StoredPipeline>;
  /** Null when it is gone at once. */
  remove(pipeline: StoredPipeline): Promise<StoredPipeline | null>;
}

/**
 * The API server has checked spec and status against the CRD; checked again here, a newer schema would be unreadable.
 */
const storedSpec = z.custom<PipelineSpec>((value) => typeof value === 'object' && value !== null);
const storedPipeline = objectSchema.extend({
  apiVersion: z.literal(apiVersion).default(apiVersion),
  kind: z.literal(kind).default(kind),
  spec: storedSpec,
  status: z.custom<PipelineStatus>((value) => typeof value === 'object' && value !== null).optional(),
});

const page = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ continue: z.string().optional(), resourceVersion: z.string().default('') }),
  items: z.array(storedPipeline).nullable(),
});

/** The spec as Kubernetes would store it; undefined: it is not valid. */
type Defaults = (spec: PipelineInput['spec']) => PipelineSpec | undefined;

export function pipelineDoor(kube: Kube, fieldManager: string, withDefaults: Defaults): PipelineDoor {
  const door: PipelineDoor = {
    async get(namespace, name) {
      const request = {
        method: 'GET',
        path: pathOf(kind, { namespace, name }),
        what: `get ${kind} ${namespace}/${name}`,
      } as const;
      const asked = { kind, namespace, name };
      return shown(await speaking(() => askObject(kube.transport, request, storedPipeline, asked), asked));
    },

    async find(namespace, name) {
      try {
        return await door.get(namespace, name);
      } catch (error) {
        if (error instanceof MillraceError && error.code === 'MR_PIPELINE_NOT_FOUND') return null;
        throw error;
      }
    },

    async list(asked) {
      const { onlyIn } = kube.transport;
      if (asked.namespace !== null || onlyIn === undefined) return listOnce(asked);
      const found = await pageOf(onlyIn, asked, (namespace, part) => listOnce({ ...asked, ...part, namespace }));
      // No version is one of several lists.
      return { ...found, resourceVersion: '' };
    },

    async apply({ metadata, spec }, { dryRun = false, force = false } = {}) {
      const { name, namespace = 'default', labels, annotations } = metadata;
      const manifest = {
        apiVersion,
        kind,
        metadata: { name, namespace, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) },
        spec,
      };
      const at = { name, namespace };
      const found = await speaking(() => kube.get(kind, name, namespace), at);
      const kept = found === undefined ? [] : keptOf(found, spec);
      if (kept.length > 0 && !force) throw mr('MR_PIPELINE_CONFLICT', { ...at, problem: keptText(kept) });
      const isForced = found !== undefined && force;
      const forced = isForced
        ? await speaking(() => untilNoConflict(() => forceOnce(manifest, dryRun)), at)
        : undefined;
      if (dryRun && forced !== undefined) return shown(forced);
      const from = new Set(kept.map(({ manager }) => manager));
      const hasToTake = from.size > 0 || hasUpdated((forced ?? found)?.metadata ?? {}, fieldManager);
      if (hasToTake && !dryRun) await speaking(() => untilNoConflict(() => takeOverOnce(at, from)), at);
      return write({ manifest, manager: fieldManager, force, dryRun });
    },

    setDesiredState: (pipeline, desiredState, { dryRun = false } = {}) =>
      setOwn(pipeline, 'desiredState', { spec: { desiredState } }, dryRun),
    orphan: (pipeline) => setOwn(pipeline, 'deletionPolicy', { spec: { deletionPolicy: 'Orphan' } }),
    decide: (pipeline, decision) =>
      setOwn(pipeline, 'decision', { metadata: { annotations: { [annotations.decision]: decision } } }),

    async remove({ metadata }) {
      const { name, namespace = 'default', uid } = metadata;
      await speaking(() => kube.delete(kind, name, namespace, { uid }), { namespace, name });
      const left = await speaking(() => kube.get(kind, name, namespace), { namespace, name });
      const isStillThere = left !== undefined && left.metadata.uid === uid;
      return isStillThere ? readPipeline(left) : null;
    },
  };
  return door;

  async function listOnce({ namespace, limit, continue: next, labelSelector }: ListQuery): Promise<PipelinePage> {
    const path = pathOf(kind, { namespace: namespace ?? undefined });
    const query = { limit, continue: next, labelSelector };
    const request = { method: 'GET', path, query, what: 'list pipelines' } as const;
    const isList = (list: z.output<typeof page>) => list.kind === `${kind}List`;
    const answer = await speaking(() => ask(kube.transport, request, page, isList));
    const more = answer.metadata.continue;
    return {
      items: (answer.items ?? []).map(shown),
      resourceVersion: answer.metadata.resourceVersion,
      ...(more === undefined || more === '' ? {} : { continue: more }),
    };
  }

  /** D3. */
  function setOwn(
    { metadata }: StoredPipeline,
    field: string,
    change: { readonly spec?: Readonly<Record<string, string>>; readonly metadata?: object },
    dryRun = false,
  ): Promise<StoredPipeline> {
    const { name, namespace = 'default', uid } = metadata;
    const manifest = { apiVersion, kind, ...change, metadata: { name, namespace, uid, ...change.metadata } };
    return write({ manifest, manager: `${fieldManager}-${field}`, force: true, dryRun });
  }

  /** D6. */
  function keptOf(found: KubeObject, named: PipelineInput['spec']): readonly KeptField[] {
    const wanted = withDefaults(named);
    return wanted === undefined ? [] : keptFields(found.metadata, { stored: found['spec'], named, wanted });
  }

  /** D7. undefined: there is none any more. */
  async function forceOnce({ metadata, spec: named }: Forced, dryRun: boolean) {
    const { namespace, name } = metadata;
    const found = await kube.get(kind, name, namespace);
    if (found === undefined) return undefined;
    const left = leftUnderForce(found.metadata, { stored: found['spec'], named }, fieldManager);
    const values = {
      '/metadata/resourceVersion': found.metadata.resourceVersion,
      '/metadata/labels': { ...othersWords(found.metadata, 'labels', fieldManager), ...metadata.labels },
      '/metadata/annotations': { ...othersWords(found.metadata, 'annotations', fieldManager), ...metadata.annotations },
      '/spec': { ...named, ...left },
    };
    const request = {
      method: 'PATCH',
      path: pathOf(kind, { namespace, name }),
      query: { fieldManager, fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined },
      contentType: 'application/json-patch+json',
      // In place of what is there.
      body: Object.entries(values).map(([path, value]) => ({ op: 'add', path, value })),
      what: `apply ${kind} ${namespace}/${name}`,
    } as const;
    return unlessAbsent(askObject(kube.transport, request, storedPipeline, { kind, namespace, name }));
  }

  async function takeOverOnce({ namespace, name }: At, from: ReadonlySet<string>): Promise<void> {
    const found = await kube.get(kind, name, namespace);
    if (found === undefined) return;
    const { uid, resourceVersion } = found.metadata;
    const metadata = { uid, resourceVersion, managedFields: takenOver(found.metadata, from, fieldManager) };
    await kube.patchMerge(kind, name, namespace, { metadata }, { fieldManager });
  }

  async function write(apply: Write): Promise<StoredPipeline> {
    const at = apply.manifest.metadata;
    try {
      return shown(await send(apply));
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      const owners = conflictingManagers(error);
      const isOurs = owners.length > 0 && owners.every(isOwnManager);
      if (!isOurs || apply.force) throw inWords(error, at);
    }
    return shown(await speaking(() => send({ ...apply, force: true }), at));
  }

  function send({ manifest, manager, force, dryRun }: Write): Promise<z.output<typeof storedPipeline>> {
    const { name, namespace } = manifest.metadata;
    const request = {
      method: 'PATCH',
      path: pathOf(kind, { namespace, name }),
      query: { fieldManager: manager, force, fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined },
      contentType: applyType,
      body: manifest,
      what: `apply ${kind} ${namespace}/${name}`,
    } as const;
    return askObject(kube.transport, request, storedPipeline, { kind, namespace, name });
  }
}

/** `it would keep what this document does not have: spec.steps[total] (managed by "kubectl-client-side-apply")`. */
function keptText(kept: readonly KeptField[]): string {
  const managers = [...new Set(kept.map(({ manager }) => manager))];
  const each = managers.map((one) => {
    const paths = kept.filter(({ manager }) => manager === one).map(pathText);
    return `${paths.join(', ')} (managed by "${one}")`;
  });
  return `it would keep what this document does not have: ${each.join('; ')}`;
}

interface Write {
  readonly manifest: { readonly metadata: At; readonly [field: string]: unknown };
  readonly manager: string;
  readonly force: boolean;
  readonly dryRun: boolean;
}

interface Forced {
  readonly metadata: At & Pick<PipelineInput['metadata'], 'labels' | 'annotations'>;
  readonly spec: PipelineInput['spec'];
}

interface At {
  readonly namespace: string;
  readonly name: string;
}

/** An object of a list or a watch, which has checked that it is about pipelines. */
export function readPipeline(object: object): StoredPipeline {
  const parsed = storedPipeline.safeParse(object);
  if (parsed.success) return shown(parsed.data);
  throw mr('MR_KUBERNETES_UNAVAILABLE', { server: 'the kubeconfig', problem: 'what it says is a Pipeline is none' });
}

/** Without the bookkeeping of server-side apply, which is longer than the rest and of no use to a reader. */
function shown({ metadata, ...rest }: z.output<typeof storedPipeline>): StoredPipeline {
  const { managedFields: _, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

async function speaking<T>(ask: () => Promise<T>, at?: At): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof KubeError ? inWords(error, at) : error;
  }
}

/** Where the pods of a pipeline run. */
export function workloadNamespaceOf({ metadata, spec }: StoredPipeline): string {
  const { name, namespace = 'default', uid } = metadata;
  return spec.isolation === 'Namespace' && uid !== undefined ? namespaceOf(pidOf(name, uid)) : namespace;
}

/** A failure of the Kubernetes API in the words of one who asks by a door: a command, the API, a program. */
export function inWords(error: KubeError, at?: At): MillraceError {
  const { situation, request, server } = error.failure;
  const problem = error.message;
  const options = { cause: error };
  if (at && error.isProvenAbsent()) return mr('MR_PIPELINE_NOT_FOUND', { ...at }, options);
  if (situation === 'notInThatName') return mr('MR_IMPERSONATION_REFUSED', { problem }, options);
  if (situation === '401' || situation === '403') return mr('MR_NOT_ALLOWED', { action: request, problem }, options);
  if (error.isWithoutType()) {
    const missing = 'the CRD of Pipeline is not installed, or the kubeconfig names another server';
    return mr('MR_KUBERNETES_REFUSED', { object: request, problem: missing }, options);
  }
  switch (error.verdict) {
    case 'refuse':
    case 'gone':
      return mr('MR_KUBERNETES_REFUSED', { object: request, problem }, options);
    case 'conflict': {
      if (at === undefined) return mr('MR_KUBERNETES_REFUSED', { object: request, problem }, options);
      const isOther = situation === 'anotherObject' || isForNone(error);
      const why = isOther ? 'it was deleted, or another has its name now' : problem;
      return mr('MR_PIPELINE_CONFLICT', { ...at, problem: why }, options);
    }
    case 'retry':
      if (readersFaults.has(situation)) {
        return mr('MR_REQUEST_INVALID', { where: request, problem: `Kubernetes refuses it: ${problem}` }, options);
      }
      return mr('MR_KUBERNETES_UNAVAILABLE', { server, problem }, options);
  }
}

/**
 * What a person has asked for in a way that is refused again: a label selector that cannot be read, a page of a list that
 * is too old. The lifecycle goes on with the same answers (verdicts.ts, V3), because nobody waits there for a word.
 */
const readersFaults: ReadonlySet<Situation> = new Set(['400', '405', '410', '413', '415', '422', 'other']);

/** An apply with the uid of an object that is gone. The answer is a conflict like any other, but for its text. */
function isForNone({ message }: KubeError): boolean {
  return message.includes('uid mismatch');
}

/**
 * Who owns the fields of a refused apply. The answer's causes have the fields, but the owners only as text:
 * `conflict with "argocd-controller" using millrace.io/v1alpha1`.
 */
export function conflictingManagers(error: KubeError): string[] {
  if (!error.isFieldConflict()) return [];
  return [...error.message.matchAll(/conflicts? with "([^"]+)"/g)].flatMap(([, manager]) => manager ?? []);
}
