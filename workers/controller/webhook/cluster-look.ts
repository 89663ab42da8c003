/**
 * What only a look at the cluster shows: what the lifecycle would refuse or wait for later.
 *
 * L1  Nothing is written, also not in a dry run: there is no difference between the two.
 * L2  What cannot be found out, or not in time, is no reason to refuse: the lifecycle finds it, and says so in a condition.
 * L3  A Secret or ConfigMap that is not there is a warning: it may come with the next file of the same apply. No value is
 *     read.
 */
import { foreignObject } from '../../../activities/kubernetes/fenced.ts';
import type { Kube } from '../../../kubernetes/kube.ts';
import { sourceOf, sourceText } from '../../../model/credential-source.ts';
import { findReferences, pathOfReference } from '../../../model/credentials.ts';
import { MillraceError, problemOf } from '../../../model/errors.ts';
import { toJson } from '../../../model/json.ts';
import { kind, labels } from '../../../model/names.ts';
import type { CredentialRef, Plan } from '../../../model/plan.ts';
import { pathText } from '../../../model/schema-problem.ts';
import type { JetStreamPort } from '../../../stream/jetstream-port.ts';
import { assertTakesBack } from '../../../stream/returning-source.ts';
import { inWords, type Judged } from './judge.ts';
import type { AdmissionRequest, Problem, Verdict } from './review.ts';

export interface LookParts {
  readonly kube: Pick<Kube, 'get' | 'list'>;
  /** Undefined: NATS was not reached yet. */
  readonly streams: () => JetStreamPort | undefined;
  readonly onError: (what: string, problem: string) => void;
}

export class ClusterLook {
  readonly #parts: LookParts;

  constructor(parts: LookParts) {
    this.#parts = parts;
  }

  async look(request: AdmissionRequest, judged: Judged): Promise<Verdict> {
    const [absent, blocked, returning] = await Promise.all([
      this.#orNothing('references', () => this.#absentReferences(request)),
      this.#orNothing('names', () => this.#inTheWay(judged)),
      this.#orNothing('streams', () => this.#returningOther(judged)),
    ]);
    const found = [...(blocked ?? []), ...(returning ?? [])];
    return {
      problems: found.flatMap((one) => (typeof one === 'string' ? [] : [one])),
      warnings: [...(absent ?? []), ...found.flatMap((one) => (typeof one === 'string' ? [one] : []))],
    };
  }

  /** L2. */
  async #orNothing<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      this.#parts.onError(what, problemOf(error));
      return undefined;
    }
  }

  /** L3. */
  async #absentReferences({ namespace, object }: AdmissionRequest): Promise<readonly string[]> {
    const spec = toJson(object?.['spec'] ?? null);
    const objects = new Map<string, CredentialRef>();
    for (const ref of findReferences(spec).refs) {
      const name = sourceText(sourceOf(ref));
      if (!objects.has(name)) objects.set(name, ref);
    }
    const asked = [...objects.values()].slice(0, referencesAsked);
    const absent = await Promise.all(asked.map(async (ref) => ((await this.#isThere(namespace, ref)) ? [] : [ref])));
    return absent.flat().map((ref) => {
      const { kind: what, name } = sourceOf(ref);
      const field = pathText(['spec', ...pathOfReference(spec, ref)]);
      return `${field}: ${what} "${name}" does not exist in namespace "${namespace}"; pods wait until it does.`;
    });
  }

  async #isThere(namespace: string, ref: CredentialRef): Promise<boolean> {
    const { kind: what, name } = sourceOf(ref);
    const only = { namespace, fields: { 'metadata.name': name }, metadataOnly: true };
    return (await this.#parts.kube.list(what, only)).items.length > 0;
  }

  /**
   * `isolation: Shared` puts the pods of a stage beside the resource, under a name that is led by that of the pipeline.
   * Something there that nobody will take away is refused; what another pipeline left behind goes by itself, or with the
   * hand of who left it on purpose: a warning.
   */
  async #inTheWay({ plan, before }: Judged): Promise<readonly (Problem | string)[]> {
    if (plan?.isolation !== 'Shared') return [];
    const were = new Set(before?.stages.map(({ workload }) => workload));
    const added = plan.stages.filter(({ workload }) => !were.has(workload));
    return (await Promise.all(added.map(async ({ workload }) => this.#workloadInTheWay(plan, workload)))).flat();
  }

  async #workloadInTheWay({ pipeline }: Plan, name: string): Promise<readonly (Problem | string)[]> {
    const live = await this.#parts.kube.get('Deployment', name, pipeline.namespace);
    const { [labels.pipelineUid]: uid, [labels.pipeline]: owner } = live?.metadata.labels ?? {};
    if (live === undefined || uid === pipeline.uid || live.metadata.deletionTimestamp !== undefined) return [];
    const { sentence } = foreignObject('Deployment', live);
    const isLeft = uid !== undefined && !(await this.#isPipeline(pipeline.namespace, owner ?? '', uid));
    return [isLeft ? sentence : { field: 'metadata.name', message: sentence }];
  }

  async #isPipeline(namespace: string, name: string, uid: string): Promise<boolean> {
    return name !== '' && (await this.#parts.kube.get(kind, name, namespace))?.metadata.uid === uid;
  }

  /** A source under the name of an earlier one, whose positions are of another system: only the streams know. */
  async #returningOther({ plan, before }: Judged): Promise<readonly Problem[]> {
    const streams = this.#parts.streams();
    if (streams === undefined || plan?.desiredState !== 'Running' || before === undefined) return [];
    const were = new Set(before.stages.map(({ name }) => name));
    if (plan.stages.every(({ name, kind: stage }) => stage !== 'ingestor' || were.has(name))) return [];
    try {
      await assertTakesBack(streams, plan);
      return [];
    } catch (error) {
      if (error instanceof MillraceError && error.handling === 'refuse') return [inWords(error)];
      throw error;
    }
  }
}

/** Each is a request. A spec with more is looked at by its pods. */
const referencesAsked = 16;
