/** An identity as files, by who needs them. Their names are those that nats-server and the processes look for. */
import type { Identity } from './identity.ts';

type Files = Readonly<Record<string, string>>;

export interface IdentityFiles {
  /** For each nats-server. */
  readonly server: Files;
  /** MILLRACE_NATS_ACCESS_DIR of controller, lifecycle and preflight. */
  readonly access: Files;
  /** MILLRACE_NATS_ACCOUNT_DIR of the lifecycle. */
  readonly account: Files;
  /** For new claims of the server: no process needs it. */
  readonly keep: Files;
}

export function filesOf({ serverConfig, accountId, seeds, controlPlane }: Identity): IdentityFiles {
  return {
    server: { 'auth.conf': serverConfig },
    access: { 'user.creds': controlPlane },
    account: { 'account.nk': seeds.signing, 'account-id': accountId },
    keep: {
      'operator.nk': seeds.operator,
      'account.nk': seeds.account,
      'system-account.nk': seeds.systemAccount,
    },
  };
}
