/** A real issuer of OIDC on loopback (`oidc-provider`), with a client for the command, and a person who agrees to a login. */
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type Configuration, type JWKS } from 'oidc-provider';
import { listenOn } from '../../workers/process/listen.ts';

export const cliClient = 'millrace-cli';

export interface RealIssuer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Everybody is in the groups `groups`. */
export async function startRealIssuer(groups: readonly string[]): Promise<RealIssuer> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(privateKey)), kid: 'one', alg: 'RS256', use: 'sig' }] } as JWKS;
  const server = createServer((request, response) => void handle(request, response));
  const listening = await listenOn(server, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${listening.port}`;
  const configuration: Configuration = {
    clients: [
      {
        client_id: cliClient,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        response_types: [],
        redirect_uris: [],
      },
    ],
    jwks,
    cookies: { keys: ['of-a-test'] },
    scopes: ['openid', 'offline_access', 'groups'],
    claims: { openid: ['sub'], groups: ['groups'] },
    conformIdTokenClaims: false,
    features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true }, revocation: { enabled: true } },
    rotateRefreshToken: true,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, groups: [...groups] }) }),
  };
  const provider = new Provider(url, configuration);
  const handle = provider.callback();
  return { url, stop: listening.close };
}

/** What a person does in a browser at the address that the command shows: logs in as `name` and agrees. Resolves with the last page. */
export async function agree(address: string, name: string): Promise<string> {
  const cookies = new Map<string, string>();
  let page = await browse(address, cookies);
  for (let step = 0; step < 10; step++) {
    const form = formIn(page.text);
    if (form === undefined) return page.text;
    const fields = { ...form.fields, ...('login' in form.fields ? { login: name, password: 'x' } : {}) };
    page = await browse(new URL(form.action, page.url).href, cookies, new URLSearchParams(fields));
  }
  throw new Error(`there is no end: ${page.text}`);
}

async function browse(
  address: string,
  cookies: Map<string, string>,
  body?: URLSearchParams,
): Promise<{ readonly url: string; readonly text: string }> {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const method = body === undefined ? 'GET' : 'POST';
  const answer = await fetch(address, { method, redirect: 'manual', headers: { cookie }, ...(body ? { body } : {}) });
  for (const set of answer.headers.getSetCookie()) {
    const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
    cookies.set(key, value);
  }
  const next = answer.headers.get('location');
  if (next !== null) return browse(new URL(next, address).href, cookies);
  return { url: address, text: await answer.text() };
}

function formIn(
  page: string,
): { readonly action: string; readonly fields: Readonly<Record<string, string>> } | undefined {
  const [, action, content = ''] = /<form[^>]*action="([^"]+)"[^>]*>(.*?)<\/form>/s.exec(page) ?? [];
  if (action === undefined) return undefined;
  const fields = [...content.matchAll(/<(?:input|button)[^>]*name="([^"]+)"[^>]*>/g)].map(([tag, name = '']) => {
    const [, value = ''] = /value="([^"]*)"/.exec(tag) ?? [];
    return [name, value] as const;
  });
  return { action, fields: Object.fromEntries(fields) };
}
