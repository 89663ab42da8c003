/**
 * A login at an issuer of OIDC without a browser on this machine: the device flow (RFC 8628), its renewal and its end.
 *
 * D1  The issuer is the one that the API names. A person sees its address before a code is typed there.
 * D2  Only HTTPS, but for a loopback address.
 * D3  Of the tokens that the issuer gives, the one is kept that is made for the API: that whose `aud` it takes.
 */
import { decodeJwt, errors } from 'jose';
import {
  allowInsecureRequests,
  discovery,
  initiateDeviceAuthorization,
  None,
  pollDeviceAuthorizationGrant,
  refreshTokenGrant,
  ResponseBodyError,
  tokenRevocation,
  type Configuration,
} from 'openid-client';
import { MillraceError, mr, problemOf } from '../model/errors.ts';
import { isLoopbackUrl } from '../model/request-origin.ts';
import { visible } from '../model/text.ts';
import { originOf, type Login } from './logins.ts';

export interface DeviceLogin {
  readonly api: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: string;
  readonly audiences: readonly string[];
  /** Shows where to go and what to type there. */
  readonly show: (place: {
    readonly url: string;
    readonly code: string;
    readonly complete: string | undefined;
  }) => void;
}

/** Resolves when the person has agreed. Throws MR_LOGIN_FAILED. */
export async function logIn({ show, scopes, audiences, ...at }: DeviceLogin): Promise<Login> {
  try {
    const config = await issuerOf(at.issuer, at.clientId, at.api);
    const device = await initiateDeviceAuthorization(config, { scope: scopes });
    const { verification_uri_complete: complete } = device;
    show({
      url: shown(device.verification_uri),
      code: device.user_code.replaceAll(/[^\w-]/g, '?'),
      complete: complete === undefined ? undefined : shown(complete),
    });
    const answer = await pollDeviceAuthorizationGrant(config, device);
    return loginWith(answer, { ...at, audiences: [...audiences] });
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    const said =
      error instanceof ResponseBodyError ? visible(error.error_description ?? error.error) : problemOf(error);
    throw mr('MR_LOGIN_FAILED', { api: originOf(at.api), problem: `${at.issuer}: ${said}` }, { cause: error });
  }
}

/** As an address is written: nothing of it can move what is in a terminal. */
function shown(address: string): string {
  return new URL(address).href;
}

export async function renewed(login: Login, refreshToken: string): Promise<Login> {
  const config = await issuerOf(login.issuer, login.clientId, login.api);
  const answer = await refreshTokenGrant(config, refreshToken);
  // An issuer may keep a refresh token for good, and does not repeat it then.
  return loginWith({ ...answer, refresh_token: answer.refresh_token ?? refreshToken }, login);
}

/** False: the issuer has no place for it (RFC 7009), and the refresh token holds until it expires. */
export async function revoked({ issuer, clientId, api }: Login, refreshToken: string): Promise<boolean> {
  const config = await issuerOf(issuer, clientId, api);
  if (config.serverMetadata().revocation_endpoint === undefined) return false;
  await tokenRevocation(config, refreshToken, { token_type_hint: 'refresh_token' });
  return true;
}

async function issuerOf(issuer: string, clientId: string, api: string): Promise<Configuration> {
  const url = URL.parse(issuer);
  const isLocal = url?.protocol === 'http:' && isLoopbackUrl(url);
  if (url === null || (url.protocol !== 'https:' && !isLocal)) {
    throw mr('MR_LOGIN_FAILED', { api: originOf(api), problem: `its issuer ${issuer} is not at an address of https` });
  }
  // https://login.example.com@elsewhere.example is the address of elsewhere.example.
  if (url.username !== '' || url.password !== '') {
    throw mr('MR_LOGIN_FAILED', {
      api: originOf(api),
      problem: `the address of its issuer ${issuer} has a user in it`,
    });
  }
  // Marked as deprecated so that nobody uses it elsewhere than here: on loopback.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return discovery(url, clientId, undefined, None(), isLocal ? { execute: [allowInsecureRequests] } : {});
}

/** What of an issuer's answer this needs. */
interface Tokens {
  readonly id_token?: string | undefined;
  readonly access_token: string;
  readonly refresh_token?: string | undefined;
}

type At = Pick<Login, 'api' | 'issuer' | 'clientId' | 'audiences'>;

/** D3. */
function loginWith(answer: Tokens, { api, issuer, clientId, audiences }: At): Login {
  for (const token of [answer.id_token, answer.access_token]) {
    const claims = token === undefined ? undefined : claimsOf(token);
    const named = claims?.aud === undefined ? [] : [claims.aud].flat();
    if (token === undefined || claims?.exp === undefined || !named.some((one) => audiences.includes(one))) continue;
    return {
      ...{ api: originOf(api), issuer, clientId, audiences, token },
      expiresAt: claims.exp * 1_000,
      ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
    };
  }
  const problem = `${issuer} gives client ${clientId} no token for ${audiences.join(' or ')}`;
  throw mr('MR_LOGIN_FAILED', { api: originOf(api), problem });
}

/** Undefined: it is no JWT, as access tokens often are not. */
function claimsOf(token: string) {
  try {
    return decodeJwt(token);
  } catch (error) {
    if (error instanceof errors.JWTInvalid) return undefined;
    throw error;
  }
}
