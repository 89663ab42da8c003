/** The variables of the webhook. Without an address to listen on there is none. */
import { z } from 'zod';
import { listenAddress, type ListenAddress } from '../../process/listen.ts';
import type { OwnCertificatesAt } from './certificates/own.ts';
import type { ReviewPathAt } from './review-path.ts';

export const webhookVariables = {
  MILLRACE_WEBHOOK_LISTEN: listenAddress.optional(),
  /** A folder with `tls.crt` and `tls.key`. */
  MILLRACE_WEBHOOK_CERTIFICATE_DIR: z.string().min(1).optional(),
  /** Or the Secret, in MILLRACE_NAMESPACE, where certificates of its own are kept. */
  MILLRACE_WEBHOOK_CERTIFICATE_SECRET: z.string().min(1).optional(),
  /**
   * Beside a folder: the Secret, in MILLRACE_NAMESPACE, where the path is kept at which the API server asks. Without it the path is one that
   * everybody knows. Certificates of its own have the path beside them.
   */
  MILLRACE_WEBHOOK_PATH_SECRET: z.string().min(1).optional(),
  /** The ValidatingWebhookConfiguration that is told whom to believe, and where to ask. */
  MILLRACE_WEBHOOK_CONFIGURATION: z.string().min(1).default('millrace-webhook'),
  /** Names and addresses by which the API server reaches it, separated by commas. */
  MILLRACE_WEBHOOK_HOSTS: z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((host) => host.trim())
        .filter((host) => host !== ''),
    )
    .prefault(''),
};

export interface WebhookConfig {
  readonly listen: ListenAddress;
  /** Undefined: the fixed one. */
  readonly path: ReviewPathAt | undefined;
  readonly certificates:
    { readonly from: 'folder'; readonly folder: string } | { readonly from: 'self'; readonly at: OwnCertificatesAt };
}

type Variables = z.output<z.ZodObject<typeof webhookVariables>>;

/** Of the whole environment. */
export function checkWebhook(env: Variables, context: z.RefinementCtx): void {
  const { MILLRACE_WEBHOOK_CERTIFICATE_DIR: folder, MILLRACE_WEBHOOK_CERTIFICATE_SECRET: secret } = env;
  if (env.MILLRACE_WEBHOOK_LISTEN === undefined) return;
  const refuse = (variable: keyof Variables, message: string) =>
    context.addIssue({ code: 'custom', path: [variable], message });
  if ((folder === undefined) === (secret === undefined))
    refuse(
      'MILLRACE_WEBHOOK_CERTIFICATE_SECRET',
      'the webhook needs either it or MILLRACE_WEBHOOK_CERTIFICATE_DIR, which say where its certificate is',
    );
  if (secret !== undefined && env.MILLRACE_WEBHOOK_HOSTS.length === 0)
    refuse('MILLRACE_WEBHOOK_HOSTS', 'it must name what a certificate of the webhook is for');
}

/** `namespace`: where Millrace is. */
export function webhookOf(env: Variables, namespace: string): WebhookConfig | undefined {
  const { MILLRACE_WEBHOOK_CERTIFICATE_DIR: folder, MILLRACE_WEBHOOK_CERTIFICATE_SECRET: secret } = env;
  const listen = env.MILLRACE_WEBHOOK_LISTEN;
  if (listen === undefined) return undefined;
  const configuration = env.MILLRACE_WEBHOOK_CONFIGURATION;
  const pathSecret = secret ?? env.MILLRACE_WEBHOOK_PATH_SECRET;
  const path = pathSecret === undefined ? undefined : { namespace, secret: pathSecret, configuration };
  if (folder !== undefined) return { listen, path, certificates: { from: 'folder', folder } };
  const at = { namespace, secret: secret ?? '', configuration, hosts: env.MILLRACE_WEBHOOK_HOSTS };
  return { listen, path, certificates: { from: 'self', at } };
}
