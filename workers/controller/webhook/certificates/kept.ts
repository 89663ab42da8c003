/**
 * The authorities and the certificate, as they are kept in a Secret that all controllers share.
 *
 *   ca.crt            authorities that the API server should believe, the newest last
 *   ca.key            key of the newest
 *   tls.crt, tls.key  what is served
 *
 * What is not usable, because somebody has changed it or it was written halfway, counts as not there: it is made again.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import type { KubeObject } from '../../../../kubernetes/objects.ts';
import type { KeyPair } from '../listener.ts';

export interface Certificate {
  readonly pem: string;
  readonly fingerprint: string;
  readonly from: number;
  readonly until: number;
}

export interface Leaf extends Certificate {
  readonly key: string;
  /** Fingerprint of its authority; undefined: none of those that are kept. */
  readonly issuer: string | undefined;
  /** It is for every name by which the API server reaches us. */
  readonly isForAll: boolean;
}

export interface Kept {
  /** The newest last. */
  readonly authorities: readonly Certificate[];
  /** Of the newest. */
  readonly signingKey: string | undefined;
  readonly leaf: Leaf | undefined;
}

const files = { authorities: 'ca.crt', signingKey: 'ca.key', leaf: 'tls.crt', leafKey: 'tls.key' } as const;
const dataSchema = z.record(z.string(), z.string()).catch({});

export function keptIn(secret: KubeObject, hosts: readonly string[]): Kept {
  const data = dataSchema.parse(secret['data'] ?? {});
  const read = (file: string) => Buffer.from(data[file] ?? '', 'base64').toString('utf8');
  const authorities = certificatesIn(read(files.authorities));
  const newest = authorities.at(-1);
  const signingKey = read(files.signingKey);
  return {
    authorities,
    signingKey: newest !== undefined && isKeyOf(newest.pem, signingKey) ? signingKey : undefined,
    leaf: leafOf(read(files.leaf), read(files.leafKey), authorities, hosts),
  };
}

/** The Secret's data. Null takes a file away. */
export function dataOf({ authorities, signingKey, leaf }: Kept): Readonly<Record<string, string | null>> {
  const texts = {
    [files.authorities]: bundleOf(authorities),
    [files.signingKey]: signingKey,
    [files.leaf]: leaf?.pem,
    [files.leafKey]: leaf?.key,
  };
  return Object.fromEntries(
    Object.entries(texts).map(([file, text]) => [
      file,
      text === undefined ? null : Buffer.from(text).toString('base64'),
    ]),
  );
}

export function bundleOf(authorities: readonly Certificate[]): string {
  return authorities.map(({ pem }) => pem).join('');
}

/** Those of a PEM text that can be read. */
export function certificatesIn(text: string): readonly Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => certificateOf(`${block}\n`) ?? []);
}

export function leafOf(
  pem: string,
  key: string,
  authorities: readonly Certificate[],
  hosts: readonly string[],
): Leaf | undefined {
  const [certificate] = certificatesIn(pem);
  if (certificate === undefined || !isKeyOf(certificate.pem, key)) return undefined;
  const x509 = new X509Certificate(certificate.pem);
  const issuer = authorities.find((one) => x509.verify(new X509Certificate(one.pem).publicKey))?.fingerprint;
  const isFor = (host: string) => (isIP(host) === 0 ? x509.checkHost(host) : x509.checkIP(host)) !== undefined;
  return { ...certificate, key, issuer, isForAll: hosts.every(isFor) };
}

export function pairOf({ pem, key }: Leaf): KeyPair {
  return { cert: pem, key };
}

function certificateOf(pem: string): Certificate | undefined {
  try {
    const { fingerprint256, validFromDate, validToDate } = new X509Certificate(pem);
    return { pem, fingerprint: fingerprint256, from: validFromDate.getTime(), until: validToDate.getTime() };
  } catch {
    return undefined;
  }
}

/** False also for what is none: errors of the library may have something of the key. */
export function isKeyOf(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
