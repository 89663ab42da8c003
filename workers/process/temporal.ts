/**
 * Where Temporal is and how a process gets in, from its environment.
 *
 * A folder (MILLRACE_TEMPORAL_ACCESS_DIR) may hold `ca.crt`, `tls.crt` with `tls.key` (a client certificate), and `api-key`.
 * They are read when the process starts; when they change, it ends, and starts anew with them (`./when-changed.ts`).
 */
import { z } from 'zod';
import { AccessFolder } from './access-folder.ts';
import { readEnvironment } from './environment.ts';

export const temporalVariables = {
  MILLRACE_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  MILLRACE_TEMPORAL_NAMESPACE: z.string().default('default'),
  /** Needed only where the folder has no certificate and no key, and the server asks for TLS all the same. */
  MILLRACE_TEMPORAL_TLS: z.enum(['true', 'false']).default('false'),
  /** The name in the server's certificate, when that is not the host of the address. */
  MILLRACE_TEMPORAL_TLS_SERVER_NAME: z.string().min(1).optional(),
  MILLRACE_TEMPORAL_ACCESS_DIR: z.string().min(1).optional(),
};

export interface TemporalAt {
  /** host:port. */
  readonly address: string;
  readonly namespace: string;
  /** Whether TLS is asked for although nothing else needs it. */
  readonly tls?: boolean | undefined;
  readonly serverName?: string | undefined;
  readonly accessDir?: string | undefined;
}

/** What both connections of the SDK take. */
export interface TemporalConnection {
  readonly address: string;
  readonly tls?:
    | true
    | {
        readonly serverNameOverride?: string;
        readonly serverRootCACertificate?: Buffer;
        readonly clientCertPair?: { readonly crt: Buffer; readonly key: Buffer };
      };
  readonly apiKey?: string;
}

/** Files of the folder. */
const temporalFiles = ['ca.crt', 'tls.crt', 'tls.key', 'api-key'] as const;

export function temporalOf(env: z.output<z.ZodObject<typeof temporalVariables>>): TemporalAt {
  return {
    address: env.MILLRACE_TEMPORAL_ADDRESS,
    namespace: env.MILLRACE_TEMPORAL_NAMESPACE,
    tls: env.MILLRACE_TEMPORAL_TLS === 'true',
    serverName: env.MILLRACE_TEMPORAL_TLS_SERVER_NAME,
    accessDir: env.MILLRACE_TEMPORAL_ACCESS_DIR,
  };
}

/** Of a command, whose environment has more than Temporal's variables. Throws MR_ENVIRONMENT_INVALID. */
export function temporalIn(env: NodeJS.ProcessEnv): TemporalAt {
  return temporalOf(readEnvironment(z.object(temporalVariables), env));
}

/** Throws MR_ACCESS_INVALID. */
export function temporalConnection({ address, tls = false, serverName, accessDir }: TemporalAt): TemporalConnection {
  const folder = accessDir === undefined ? undefined : new AccessFolder(accessDir, 'Temporal');
  if (folder !== undefined && !temporalFiles.some((name) => folder.has(name)))
    throw folder.invalid(`it has none of the files ${temporalFiles.join(', ')}`);
  folder?.hasAll('tls.crt', 'tls.key');
  const ca = folder?.read('ca.crt');
  const crt = folder?.read('tls.crt');
  const key = folder?.read('tls.key');
  const apiKey = folder?.readLine('api-key');
  const asked = {
    ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
    ...(ca === undefined ? {} : { serverRootCACertificate: Buffer.from(ca) }),
    ...(crt === undefined || key === undefined
      ? {}
      : { clientCertPair: { crt: Buffer.from(crt), key: Buffer.from(key) } }),
  };
  // A key is never sent in the clear.
  const usesTls = tls || apiKey !== undefined || Object.keys(asked).length > 0;
  return {
    address,
    ...(usesTls ? { tls: Object.keys(asked).length > 0 ? asked : true } : {}),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}
