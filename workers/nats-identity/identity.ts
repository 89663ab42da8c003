/**
 * Who may do what on NATS, as tokens that nats-server checks without asking anybody (operator mode).
 *
 * T1  An operator signs two accounts: the server's own, and that of Millrace, which has JetStream. Users are not listed
 *     anywhere: whoever has a token that the account's signing key has signed is one, so a pipeline's user needs no
 *     change of the server.
 * T2  What a token does not allow is refused. nats-server itself permits everything where a list is empty; so an empty
 *     one is written as the denial of all, and the account denies all to a token that somebody signed without any list.
 * T3  The server's configuration holds public keys and signed claims only; the seeds are secret.
 *
 * A seed, an id and a token are texts as NATS has them: `SO…`, `SA…` and `SU…` of 58 characters, `A…` of 56, and a JWT.
 */
import { encodeAccount, encodeOperator, encodeUser, fmtCreds, type OperatorLimits } from '@nats-io/jwt';
import { createAccount, createOperator, createUser, fromSeed, type KeyPair } from '@nats-io/nkeys';

export interface Identity {
  /** For the configuration of every nats-server, to `include`. Nothing in it is secret (T3). */
  readonly serverConfig: string;
  /** Id of the account of Millrace. */
  readonly accountId: string;
  readonly seeds: IdentitySeeds;
  /** The .creds text of the control plane, which may do everything in the account. */
  readonly controlPlane: string;
}

/** The first three are needed only to sign new claims for the server: the running system needs `signing` alone. */
export interface IdentitySeeds {
  readonly operator: string;
  readonly systemAccount: string;
  readonly account: string;
  /** Signs users of Millrace's account, with its id as `accountId` of {@link makeUser}. */
  readonly signing: string;
}

export interface Rights {
  readonly pub: { readonly allow: readonly string[]; readonly deny?: readonly string[] };
  readonly sub: { readonly allow: readonly string[]; readonly deny?: readonly string[] };
}

export interface NewUser {
  /** Seed of the account, or of a signing key of it. */
  readonly accountSeed: string;
  /** Id of the account, when the seed is that of a signing key. */
  readonly accountId?: string;
  /** Shown by `nats server report connections`. */
  readonly name: string;
  readonly permissions: Rights;
  /** Milliseconds since 1970, rounded down to seconds: then the server ends its connections. Default: never. */
  readonly expires?: number;
}

const everything = { allow: ['>'] };
const nothing = { deny: ['>'] };

/** A claim that is left out counts as 0, which is none. */
const unlimited = {
  ...{ subs: -1, data: -1, payload: -1 },
  ...{ conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true },
} satisfies OperatorLimits;

/**
 * A client sends its token in one line, and nats-server ends the connection when that is longer than 4 KiB by default. The
 * token of a pipeline whose name has 40 characters is about as long as that.
 */
const maxControlLineBytes = 16_384;

/** What the store may hold is a setting of the server. */
const withJetStream = { ...unlimited, mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

/** Makes new keys at each call. */
export async function makeIdentity(): Promise<Identity> {
  const [operator, systemAccount, account, signing] = [
    createOperator(),
    createAccount(),
    createAccount(),
    createAccount(),
  ];
  const accountId = account.getPublicKey();
  const systemId = systemAccount.getPublicKey();
  const ofOperator = await encodeOperator('millrace', operator, { system_account: systemId });
  const ofSystem = await encodeAccount('SYS', systemAccount, { limits: unlimited }, { signer: operator });
  const claims = {
    limits: withJetStream,
    signing_keys: [signing.getPublicKey()],
    default_permissions: { pub: nothing, sub: nothing },
  };
  const ofAccount = await encodeAccount('millrace', account, claims, { signer: operator });
  const seeds = {
    operator: seedOf(operator),
    systemAccount: seedOf(systemAccount),
    account: seedOf(account),
    signing: seedOf(signing),
  };
  return {
    serverConfig: `max_control_line: ${maxControlLineBytes}
operator: ${ofOperator}
system_account: ${systemId}
resolver: MEMORY
resolver_preload: {
  ${systemId}: ${ofSystem}
  ${accountId}: ${ofAccount}
}
`,
    accountId,
    seeds,
    controlPlane: await makeUser({
      accountSeed: seeds.signing,
      accountId,
      name: 'millrace',
      permissions: { pub: everything, sub: everything },
    }),
  };
}

/**
 * The .creds text of a new user: its token and the seed with which it proves to be that user. Throws for a text that is
 * not the seed of an account. Only the token's `iat` is the machine's time, because the library takes it.
 */
export async function makeUser(wanted: NewUser): Promise<string> {
  const { accountSeed, accountId, name, permissions, expires } = wanted;
  const user = createUser();
  const signer = fromSeed(Buffer.from(accountSeed));
  const claims = {
    pub: listsOf(permissions.pub),
    sub: listsOf(permissions.sub),
    // No leaf nodes, web sockets or MQTT: Millrace's processes use none.
    allowed_connection_types: ['STANDARD' as const],
  };
  const options = expires === undefined ? {} : { exp: Math.floor(expires / 1_000) };
  const token =
    accountId === undefined
      ? await encodeUser(name, user, signer, claims, options)
      : await encodeUser(name, user, accountId, claims, { ...options, signer });
  return Buffer.from(fmtCreds(token, user)).toString('utf8');
}

/** T2. */
function listsOf({ allow, deny = [] }: Rights['pub']): { allow: string[]; deny: string[] } {
  return allow.length === 0 ? { allow: [], deny: ['>'] } : { allow: [...allow], deny: [...deny] };
}

function seedOf(pair: KeyPair): string {
  return Buffer.from(pair.getSeed()).toString('utf8');
}
