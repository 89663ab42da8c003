/** The authorities that a ValidatingWebhookConfiguration names: what the API servers believe. */
import { z } from 'zod';
import type { Kube } from '../../../../kubernetes/kube.ts';
import { kinds, type KubeObject } from '../../../../kubernetes/objects.ts';
import { fieldManagers } from '../../../../model/names.ts';
import { certificatesIn } from './kept.ts';

const kind = 'ValidatingWebhookConfiguration';
const configurationSchema = z.looseObject({
  webhooks: z
    .array(z.looseObject({ name: z.string(), clientConfig: z.looseObject({ caBundle: z.string().default('') }) }))
    .nullish(),
});

/** Undefined: there is none. */
export function readConfiguration(kube: Pick<Kube, 'get'>, name: string): Promise<KubeObject | undefined> {
  return kube.get(kind, name);
}

/** Fingerprints of the authorities that every webhook in it has. */
export function toldIn(configuration: KubeObject): ReadonlySet<string> {
  const [first, ...others] = webhooksOf(configuration).map(({ bundle }) => fingerprintsIn(bundle));
  return new Set([...(first ?? [])].filter((each) => others.every((set) => set.has(each))));
}

/**
 * Only these fields are ours: everything else about a webhook is whose configuration it is. `force`: who chose that Millrace
 * makes its certificates did not mean another bundle.
 */
export async function tellAuthorities(
  kube: Pick<Kube, 'apply'>,
  configuration: KubeObject,
  bundle: string,
): Promise<void> {
  const webhooks = webhooksOf(configuration);
  if (webhooks.every((webhook) => webhook.bundle === bundle)) return;
  const caBundle = Buffer.from(bundle).toString('base64');
  const { name, uid, resourceVersion } = configuration.metadata;
  const manifest = {
    apiVersion: kinds[kind].apiVersion,
    kind,
    // The very object that was read: an apply makes what is not there, and the version keeps a slower controller from
    // putting back what a faster one has replaced.
    metadata: { name, uid, resourceVersion },
    webhooks: webhooks.map((webhook) => ({ name: webhook.name, clientConfig: { caBundle } })),
  } as const;
  await kube.apply(manifest, { fieldManager: fieldManagers.webhook, force: true });
}

function webhooksOf(configuration: KubeObject) {
  return (configurationSchema.parse(configuration).webhooks ?? []).map(({ name, clientConfig }) => ({
    name,
    bundle: Buffer.from(clientConfig.caBundle, 'base64').toString('utf8'),
  }));
}

function fingerprintsIn(bundle: string): ReadonlySet<string> {
  return new Set(certificatesIn(bundle).map(({ fingerprint }) => fingerprint));
}
