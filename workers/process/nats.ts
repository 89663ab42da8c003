/**
 * Where NATS is and how a process gets in, from its environment.
 *
 * A folder (MILLRACE_NATS_ACCESS_DIR) may hold `user.creds`, or `token`, or `username` and `password`, of which the first
 * that is there counts; and `ca.crt`, and `tls.crt` with `tls.key`. They are read again at every attempt to connect, so that
 * what was rotated is used without a restart. Whether there is a certificate at all is found at the start.
 */
import { join } from 'node:path';
import {
  credsAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type TlsOptions,
} from '@nats-io/transport-node';
import { z } from 'zod';
import type { NatsAccess } from '../../stream/connection.ts';
import { AccessFolder } from './access-folder.ts';

export const natsVariables = {
  /** One address, or several of one cluster, separated by commas. */
  MILLRACE_NATS_URL: z.string().min(1).default('nats://127.0.0.1:4222'),
  MILLRACE_NATS_ACCESS_DIR: z.string().min(1).optional(),
};

export interface NatsAt {
  readonly url: string;
  readonly accessDir: string | undefined;
}

/** Files of the folder. */
export const natsFiles = ['user.creds', 'token', 'username', 'password', 'ca.crt', 'tls.crt', 'tls.key'] as const;

export function natsOf(env: z.output<z.ZodObject<typeof natsVariables>>): NatsAt {
  return { url: env.MILLRACE_NATS_URL, accessDir: env.MILLRACE_NATS_ACCESS_DIR };
}

/** Throws MR_ACCESS_INVALID. So does its authenticator, when the folder has become useless since. */
export function natsAccess(accessDir: string | undefined): NatsAccess {
  if (accessDir === undefined) return {};
  const folder = new AccessFolder(accessDir, 'NATS');
  if (!natsFiles.some((name) => folder.has(name)))
    throw folder.invalid(`it has none of the files ${natsFiles.join(', ')}`);
  whoIsIn(folder);
  const tls = tlsOf(folder);
  return { authenticator: (nonce) => whoIsIn(folder)?.(nonce), ...(tls === undefined ? {} : { tls }) };
}

/** Undefined: the folder has certificates only. */
function whoIsIn(folder: AccessFolder): Authenticator | undefined {
  const creds = folder.read('user.creds');
  if (creds !== undefined) return ofCreds(folder, creds);
  const token = folder.readLine('token');
  if (token !== undefined) return tokenAuthenticator(token);
  if (!folder.hasAll('username', 'password')) return undefined;
  return usernamePasswordAuthenticator(folder.readLine('username') ?? '', folder.readLine('password') ?? '');
}

function ofCreds(folder: AccessFolder, creds: string): Authenticator {
  const authenticator = credsAuthenticator(Buffer.from(creds));
  return (nonce) => {
    try {
      return authenticator(nonce);
    } catch {
      // Its error is no cause: nobody promises that it has nothing of the seed.
      throw folder.invalid('user.creds is not a file with a JWT and a seed, as `nsc generate creds` writes it');
    }
  };
}

/** Paths: the client reads the files at each attempt. */
function tlsOf(folder: AccessFolder): TlsOptions | undefined {
  const hasCertificate = folder.hasAll('tls.crt', 'tls.key');
  const hasAuthority = folder.has('ca.crt');
  if (!hasCertificate && !hasAuthority) return undefined;
  const at = (name: string) => join(folder.path, name);
  return {
    ...(hasAuthority ? { caFile: at('ca.crt') } : {}),
    ...(hasCertificate ? { certFile: at('tls.crt'), keyFile: at('tls.key') } : {}),
  };
}
