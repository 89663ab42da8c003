/**
 * What `millrace login` keeps: for each API a file with its tokens, in the user's folder for configuration.
 *
 * L1  Readable by its owner only (0600, in a folder of 0700), and written whole or not at all (`./private-folder.ts`).
 * L2  A token is for the API for which somebody has logged in, and for no other address.
 * L3  A token that is about to expire is renewed by its refresh token, which an issuer may take only once: a second use ends the
 *     login. So one program at a time renews, once for all that it asks at the same time; the others find what it has kept.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { mr, problemOf } from '../model/errors.ts';
import { jsonOrNothing } from '../model/json-or-nothing.ts';
import { isSystemError } from '../model/system-error.ts';
import { privateFolder, writeWhole } from './private-folder.ts';

const loginSchema = z.object({
  /** The API. */
  api: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  /** One of these must be in the token. */
  audiences: z.array(z.string()),
  /** Sent to the API. */
  token: z.string(),
  /** ms since 1970. */
  expiresAt: z.number(),
  refreshToken: z.string().optional(),
});

export type Login = z.output<typeof loginSchema>;

/** Gives tokens for a refresh token. */
export type Renew = (login: Login, refreshToken: string) => Promise<Login>;

export interface Logins {
  find(api: string): Promise<Login | undefined>;
  keep(login: Login): Promise<void>;
  /** False: there was none. */
  forget(api: string): Promise<boolean>;
  /** Throws MR_LOGIN_FAILED. */
  tokenFor(api: string): Promise<string>;
}

/** A request may take a while, and clocks differ. */
const renewBeforeMs = 60_000;

export function loginsIn(env: NodeJS.ProcessEnv, renew: Renew, wallClock: () => number = Date.now): Logins {
  const folder = join(env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config'), 'millrace', 'logins');
  const { exists, whileLocked } = privateFolder(folder, wallClock);
  const fileOf = (api: string) => join(folder, `${nameOf(api)}.json`);
  const isGood = ({ expiresAt }: Login) => expiresAt - wallClock() > renewBeforeMs;

  const write = (login: Login) => writeWhole(fileOf(login.api), JSON.stringify(login));
  /** By API; those that are on their way. */
  const renewals = new Map<string, Promise<string>>();

  async function find(api: string): Promise<Login | undefined> {
    const text = await readIfThere(fileOf(api));
    if (text === undefined) return undefined;
    const parsed = loginSchema.safeParse(jsonOrNothing(text));
    if (!parsed.success || parsed.data.api !== originOf(api)) throw failed(api, `${fileOf(api)} is none`);
    return parsed.data;
  }

  /** Its token while that is good; else what renews it. */
  async function look(api: string) {
    const login = await find(api);
    if (login === undefined) throw failed(api, 'nobody has logged in');
    const { token, refreshToken } = login;
    if (isGood(login)) return { token };
    if (refreshToken === undefined) throw failed(api, 'it has expired');
    return { token: undefined, login, refreshToken };
  }

  /** L3. Another program may have renewed it before this one got the lock. */
  async function renewedToken(api: string): Promise<string> {
    try {
      return await whileLocked(async () => {
        const { token, login, refreshToken } = await look(api);
        if (token !== undefined) return token;
        const renewed = await renew(login, refreshToken);
        await write(renewed);
        return renewed.token;
      });
    } catch (error) {
      // One that held the lock too long for another to wait may be done by now.
      const now = await find(api);
      if (now !== undefined && isGood(now)) return now.token;
      throw failed(api, `it could not be renewed (${problemOf(error)})`, error);
    }
  }

  return {
    find,

    keep: (login) => whileLocked(() => write(login)),

    async forget(api) {
      if (!(await exists())) return false;
      return whileLocked(async () => {
        const isThere = (await readIfThere(fileOf(api))) !== undefined;
        await rm(fileOf(api), { force: true });
        return isThere;
      });
    },

    async tokenFor(api) {
      const { token } = await look(api);
      if (token !== undefined) return token;
      const key = originOf(api);
      const renewal = renewals.get(key) ?? renewedToken(api).finally(() => renewals.delete(key));
      renewals.set(key, renewal);
      return renewal;
    },
  };
}

/** L2. Host and port, and the path below which the API is. */
export function originOf(api: string): string {
  const { origin, pathname } = new URL(api);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

function nameOf(api: string): string {
  const origin = originOf(api);
  const digest = createHash('sha256').update(origin).digest('hex').slice(0, 8);
  return `${new URL(origin).hostname.replaceAll(/[^\w.-]+/g, '_')}-${digest}`;
}

function failed(api: string, problem: string, cause?: unknown): Error {
  return mr('MR_LOGIN_FAILED', { api: originOf(api), problem }, { cause });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
