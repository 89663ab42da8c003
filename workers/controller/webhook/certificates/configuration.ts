/** What a ValidatingWebhookConfiguration says to the API servers: the authorities that they believe, and the path at which they ask. */
import { z } from 'zod';
import type { Kube } from '../../../../kubernetes/kube.ts';
import { kinds, type KubeObject } from '../../../../kubernetes/objects.ts';
import { fieldManagers } from '../../../../model/names.ts';
import { certificatesIn } from './kept.ts';

const kind = 'ValidatingWebhookConfiguration';
const configurationSchema = z.looseObject({
  webhooks: z
    .array(
      z.looseObject({
        name: z.string(),
        clientConfig: z.looseObject({
          caBundle: z.string().default(''),
          service: z.looseObject({ path: z.string().default('/') }).optional(),
          url: z.url().optional(),
        }),
      }),
    )
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
  if (webhooksOf(configuration).every((webhook) => webhook.bundle === bundle)) return;
  const caBundle = Buffer.from(bundle).toString('base64');
  await applyTo(kube, configuration, fieldManagers.webhook, ({ name }) => ({ name, clientConfig: { caBundle } }));
}

/** Those of all webhooks in it, each once. `/`: it names none. */
export function pathsIn(configuration: KubeObject): readonly string[] {
  return [...new Set(webhooksOf(configuration).map(({ path }) => path))];
}

/** Only the path is ours, and by a manager of its own: an apply gives up what its manager does not repeat. */
export async function tellPath(kube: Pick<Kube, 'apply'>, configuration: KubeObject, path: string): Promise<void> {
  if (webhooksOf(configuration).every((webhook) => webhook.path === path)) return;
  await applyTo(kube, configuration, `${fieldManagers.webhook}-path`, ({ name, url }) => ({
    name,
    clientConfig: url === undefined ? { service: { path } } : { url: new URL(path, url).href },
  }));
}

async function applyTo(
  kube: Pick<Kube, 'apply'>,
  configuration: KubeObject,
  fieldManager: string,
  told: (webhook: { readonly name: string; readonly url: string | undefined }) => object,
): Promise<void> {
  const { name, uid, resourceVersion } = configuration.metadata;
  const manifest = {
    apiVersion: kinds[kind].apiVersion,
    kind,
    // The very object that was read: an apply makes what is not there, and the version keeps a slower controller from
    // putting back what a faster one has replaced.
    metadata: { name, uid, resourceVersion },
    webhooks: webhooksOf(configuration).map(told),
  } as const;
  await kube.apply(manifest, { fieldManager, force: true });
}

function webhooksOf(configuration: KubeObject) {
  return (configurationSchema.parse(configuration).webhooks ?? []).map(({ name, clientConfig }) => ({
    name,
    url: clientConfig.url,
    path: clientConfig.url === undefined ? (clientConfig.service?.path ?? '/') : new URL(clientConfig.url).pathname,
    bundle: Buffer.from(clientConfig.caBundle, 'base64').toString('utf8'),
  }));
}

function fingerprintsIn(bundle: string): ReadonlySet<string> {
  return new Set(certificatesIn(bundle).map(({ fingerprint }) => fingerprint));
}
