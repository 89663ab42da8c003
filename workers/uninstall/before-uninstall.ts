/**
 * What happens to the pipelines before Millrace is uninstalled: run by the chart's hook, while the control plane still
 * works.
 *
 * P1  Block: as long as there are pipelines, Millrace is not uninstalled.
 * P2  Drain: all are deleted, each as its `deletionPolicy` says, and waited for.
 * P3  Orphan: they stay, and nobody repairs or changes them; their pods go on moving records as long as NATS is there. An
 *     installation later takes them over.
 * P4  Where the kind is proven to be gone, there are none: whoever has removed it first is not kept from uninstalling. A list
 *     that answers 404 proves nothing.
 */
import { mr } from '../../model/errors.ts';
import { kind } from '../../model/names.ts';
import type { Clock } from '../../model/clock.ts';
import { counted } from '../../model/text.ts';
import type { UninstallPolicy } from '../../model/uninstall-policy.ts';
import { statusOf } from '../../activities/status/read.ts';
import type { Kube } from '../../kubernetes/kube.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';

export interface Uninstalling {
  readonly kube: Pick<Kube, 'list' | 'delete'>;
  /** Whether the API server has the kind (P4). */
  readonly hasKind: () => Promise<boolean>;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** Of Drain. */
  readonly timeoutMs: number;
  /** Namespace and name of the ConfigMap with the policy, if it comes from one. */
  readonly saidIn: string | undefined;
}

const lookMs = 2_000;
/** In a message; the others are counted. */
const mostNamed = 20;

/** Throws MR_UNINSTALL_BLOCKED, or MR_UNINSTALL_UNFINISHED when not all are gone in time. */
export async function beforeUninstall(policy: UninstallPolicy, how: Uninstalling): Promise<void> {
  const { kube, hasKind, say } = how;
  const { items } = (await hasKind()) ? await kube.list(kind) : { items: [] };
  if (items.length === 0) return say('there are no pipelines');
  const all = counted(items.length, 'pipeline');
  switch (policy) {
    case 'Block':
      throw mr('MR_UNINSTALL_BLOCKED', { all, names: namesOf(items), how: howTo(how.saidIn) });
    case 'Orphan':
      return say(
        `${all} left as they are: ${namesOf(items)}. Nobody repairs or changes them until Millrace is installed again; their pods go on moving records as long as NATS is there.`,
      );
    case 'Drain':
      say(`deleting ${all}: ${namesOf(items)}`);
      return drain(items, how);
  }
}

function howTo(saidIn: string | undefined): string {
  if (saidIn === undefined) return 'with `--policy`';
  const [namespace = '', name = ''] = saidIn.split('/');
  return `\`kubectl --namespace ${namespace} patch configmap ${name} --type merge --patch '{"data":{"policy":"Drain"}}'\``;
}

async function drain(items: readonly KubeObject[], { kube, clock, say, timeoutMs }: Uninstalling): Promise<void> {
  for (const { metadata } of items) await kube.delete(kind, metadata.name, metadata.namespace, { uid: metadata.uid });
  const uids = new Set(items.map(({ metadata }) => metadata.uid));
  const until = clock.monotonic() + timeoutMs;
  for (let said = ''; ;) {
    const left = (await kube.list(kind)).items.filter(({ metadata }) => uids.has(metadata.uid));
    if (left.length === 0) return say('all pipelines are gone');
    const news = left.slice(0, mostNamed).map(doing).join('; ');
    if (clock.monotonic() > until) throw mr('MR_UNINSTALL_UNFINISHED', { left: left.length, names: news });
    if (news !== said) say(`${left.length} left: ${news}`);
    said = news;
    await clock.sleep(lookMs);
  }
}

function namesOf(items: readonly KubeObject[]): string {
  const names = items.slice(0, mostNamed).map(nameOf).join(', ');
  return items.length > mostNamed ? `${names} and ${items.length - mostNamed} more` : names;
}

function nameOf({ metadata: { name, namespace = '' } }: KubeObject): string {
  return `${namespace}/${name}`;
}

/** `shop/orders (Deleting, drain)`. */
function doing(pipeline: KubeObject): string {
  const { phase = 'Pending', operation } = statusOf(pipeline);
  const why = operation?.lastError ?? operation?.step;
  return `${nameOf(pipeline)} (${phase}${why === undefined ? '' : `, ${why}`})`;
}
