/**
 * Callers by tokens of an OIDC issuer: JWTs that it has signed for this API.
 *
 * O1  Signed with a key pair of the issuer. A signature by a shared secret (HS256) or none at all is refused before a key is
 *     looked for: a public key is no secret.
 * O2  `iss`, `aud` and `exp` must be there and right; `nbf` if it is there. Clocks may differ by `clockSkewSeconds`.
 * O3  A name and groups get a prefix, so that nobody of the issuer is called like somebody of Kubernetes; and never one that
 *     begins with `system:`, which Kubernetes keeps to itself.
 */
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { pointerKeys } from '../../../crds/issue.ts';
import { authenticatedGroup, callerFault, type Caller } from '../../../model/caller.ts';
import { mr, MillraceError } from '../../../model/errors.ts';
import { cut } from '../../../model/text.ts';
import type { Authenticator } from './identity.ts';
import { issuerKeys, type IssuerKeysOptions } from './issuer-keys.ts';

export interface OidcOptions extends IssuerKeysOptions {
  /** `aud` must name one of these. */
  readonly audiences: readonly string[];
  /** Default 30. */
  readonly clockSkewSeconds?: number;
  /** The claim that has the name: its own name, or a JSON pointer (`/realm_access/roles`). Default `sub`. */
  readonly usernameClaim?: string;
  /** Default `oidc:`. */
  readonly usernamePrefix?: string;
  /** Default `groups`. */
  readonly groupsClaim?: string;
  /** Default `oidc:`. */
  readonly groupsPrefix?: string;
  /** ms since 1970. */
  readonly wallClock: () => number;
}

/** O1. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** Tokens that are made to log in with; an issuer signs others, too (`logout+jwt`). */
const types: ReadonlySet<string | undefined> = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt']);
/** A header of HTTP has no room for more. */
const longestToken = 16 * 1024;

export function oidcCallers(options: OidcOptions): Authenticator {
  const { issuer, audiences, clockSkewSeconds = 30, wallClock } = options;
  const keyOf = issuerKeys(options);
  return {
    asksNobody: true,
    async authenticate(token) {
      if (token.length > longestToken) throw refused('that is too long');
      try {
        const { payload, protectedHeader } = await jwtVerify(token, keyOf, {
          ...{ issuer, audience: [...audiences], algorithms },
          requiredClaims: ['exp'],
          clockTolerance: clockSkewSeconds,
          currentDate: new Date(wallClock()),
        });
        if (!types.has(protectedHeader.typ?.toLowerCase())) throw refused('that is not made to log in with (`typ`)');
        return callerIn(payload, options);
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        if (error instanceof errors.JOSEError) throw refused(problemIn(error, options), error);
        throw error;
      }
    },
  };
}

function refused(problem: string, cause?: unknown): MillraceError {
  return mr('MR_NOT_AUTHENTICATED', { problem: `a token ${problem}` }, { cause });
}

/** What is wrong with it, for the one who has it. No value of the token is repeated. */
function problemIn(error: errors.JOSEError, { issuer, audiences }: OidcOptions): string {
  if (error instanceof errors.JWTExpired) return 'that has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return `that is not for ${audiences.join(' or ')} (\`aud\`)`;
    if (error.claim === 'iss') return `that is not of ${issuer} (\`iss\`)`;
    if (error.claim === 'nbf') return 'that is not valid yet (`nbf`)';
    return `whose claim "${cut(error.claim, 40)}" is not right`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return `whose signature is none by a key pair (\`alg\`)`;
  if (error instanceof errors.JWKSNoMatchingKey) return `signed with a key that ${issuer} does not have`;
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'that does not say with which key it is signed (`kid`)';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'whose signature is wrong';
  return 'that is no JWT';
}

/** O3. */
function callerIn(payload: JWTPayload, options: OidcOptions): Caller {
  const { usernameClaim = 'sub', usernamePrefix = 'oidc:', groupsClaim = 'groups', groupsPrefix = 'oidc:' } = options;
  const name = claimOf(payload, usernameClaim);
  if (typeof name !== 'string' || name === '')
    throw refused(`without the claim "${usernameClaim}", which has the name`);
  if (/^\/?email$/.test(usernameClaim) && (payload['email_verified'] ?? true) !== true) {
    throw refused('whose e-mail address was not verified');
  }
  const groups = groupsIn(claimOf(payload, groupsClaim), groupsClaim).map((group) => `${groupsPrefix}${group}`);
  const caller = { name: `${usernamePrefix}${name}`, groups, extra: {} };
  const fault = callerFault(caller) ?? reservedFault(caller);
  if (fault !== undefined) throw refused(`of ${fault}`);
  return { ...caller, groups: [...groups, authenticatedGroup] };
}

function groupsIn(claim: unknown, name: string): readonly string[] {
  if (claim === undefined || claim === null) return [];
  const groups: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  const texts = groups.filter((group) => typeof group === 'string');
  if (texts.length < groups.length) throw refused(`whose claim "${name}" is no list of groups`);
  return texts;
}

function reservedFault({ name, groups }: Caller): string | undefined {
  if (name.startsWith('system:')) return 'a name that begins with system:';
  return groups.some((group) => group.startsWith('system:')) ? 'a group that begins with system:' : undefined;
}

function claimOf(payload: JWTPayload, claim: string): unknown {
  if (!claim.startsWith('/')) return Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  let value: unknown = payload;
  for (const key of pointerKeys(claim)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}
