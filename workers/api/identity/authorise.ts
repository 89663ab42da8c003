/**
 * What a caller may do: asked of Kubernetes (SubjectAccessReview) for each call, and remembered for some seconds.
 *
 * Z1  Asked before anything is looked up. So a refusal is the same whether or not the pipeline exists.
 * Z2  A right that is taken away ends within {@link allowedForMs}; one that is given is seen within {@link deniedForMs}.
 */
import { KubeError } from '../../../kubernetes/kube-error.ts';
import { reviewAccess, type Act } from '../../../kubernetes/reviews.ts';
import type { KubeTransport } from '../../../kubernetes/transport.ts';
import { serviceAccountOf, type Caller } from '../../../model/caller.ts';
import { mr } from '../../../model/errors.ts';
import { digestOf, silence, type Identity } from './identity.ts';
import { actOf, actText } from './needs.ts';
import { Remembered, type Now } from './remembered.ts';

/** As the API servers of Kubernetes themselves remember it (`--authorization-webhook-cache-…` of an aggregated one). */
export const allowedForMs = 10_000;
/** Whoever was just given a right tries again at once. */
export const deniedForMs = 2_000;

export interface AuthoriserOptions {
  readonly transport: KubeTransport;
  /** What the names of the chart's roles begin with: `millrace-system:millrace`. Undefined: roles of Kubernetes are named. */
  readonly roles: string | undefined;
  readonly now: Now;
}

export function authoriser({ transport, roles, now }: AuthoriserOptions): Identity['authorise'] {
  const answers = new Remembered<{ readonly allowed: boolean }>({
    ttlOf: ({ allowed }) => (allowed ? allowedForMs : deniedForMs),
    now,
  });
  return async (caller, need, at, charge = () => undefined) => {
    // Where only some namespaces are watched, a list of all is one of these.
    const { onlyIn } = transport;
    const places = at.namespace === undefined && onlyIn !== undefined ? onlyIn : [at.namespace];
    for (const namespace of places) {
      const act = actOf(need, { ...at, namespace });
      const key = digestOf(JSON.stringify([caller, act]));
      const isKnown = answers.has(key);
      if (!isKnown) charge();
      const { allowed } = await answers.get(key, () => review(caller, act));
      if (allowed) continue;
      if (isKnown) charge();
      throw mr('MR_CALLER_FORBIDDEN', { caller: caller.name, act: actText(act), hint: hintFor(caller, act, roles) });
    }
  };

  async function review(caller: Caller, act: Act) {
    try {
      return { allowed: await reviewAccess(transport, caller, act) };
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      const question = `what "${caller.name}" may do`;
      throw mr('MR_IDENTITY_UNKNOWN', { question, problem: silence, who: 'Kubernetes' }, { cause: error });
    }
  }
}

/** A command that gives the right. Names that a shell would not take as they are stand as capitals: people copy it. */
function hintFor(caller: Caller, act: Act, roles: string | undefined): string {
  if ('path' in act) return `A ClusterRole with nonResourceURLs [${act.path}] allows it.`;
  const role = act.subresource !== undefined ? 'records' : act.verb === 'get' || act.verb === 'list' ? 'view' : 'edit';
  // Kubernetes has a view and an edit of its own, to which those of the chart are added.
  const named = roles === undefined ? (role === 'records' ? 'edit' : role) : `${roles}:${role}`;
  const account = serviceAccountOf(caller);
  const subject =
    account === undefined
      ? `--user=${copyable(caller.name, 'USER')}`
      : `--serviceaccount=${copyable(`${account.namespace}:${account.name}`, 'NAMESPACE:NAME')}`;
  const command =
    act.namespace === undefined
      ? 'create clusterrolebinding'
      : `-n ${copyable(act.namespace, 'NAMESPACE')} create rolebinding`;
  return `Whoever administers it can allow it: kubectl ${command} BINDING --clusterrole=${named} ${subject}`;
}

function copyable(text: string, otherwise: string): string {
  return /^[\w.:@/-]+$/.test(text) ? text : otherwise;
}
