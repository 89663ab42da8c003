/** X.509 certificates on P-256 keys, signed by an authority of our own. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { bits, boolean, der, explicit, implicit, integer, octets, oid, pem, sequence, set, text, time } from './der.ts';

export interface KeyAndCertificate {
  /** PKCS #8, PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
}

export interface Subject {
  readonly commonName: string;
  /** Kubernetes reads it as the group. */
  readonly organization?: string;
}

export interface Authority extends KeyAndCertificate {
  readonly subject: Subject;
}

export interface Leaf {
  readonly subject: Subject;
  readonly usage: readonly ('server' | 'client')[];
  /** DNS names and IPv4 addresses. */
  readonly names?: readonly string[];
}

const ids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
} as const;

const tenYearsMs = 10 * 365 * 86_400_000;
/** Clocks of host and tools may differ a little. */
const backdateMs = 3_600_000;

export function makeAuthority(subject: Subject, now: Date): Authority {
  const key = newKey();
  const extensions = [
    extension(ids.basicConstraints, true, sequence(boolean(true))),
    // digitalSignature, keyCertSign, cRLSign
    extension(ids.keyUsage, true, bits(Buffer.from([0b1000_0110]), 1)),
  ];
  return { subject, ...issue({ subject, key, extensions, issuer: subject, issuerKey: key, now }) };
}

export function makeLeaf(authority: Authority, leaf: Leaf, now: Date): KeyAndCertificate {
  const names = leaf.names ?? [];
  const extensions = [
    // digitalSignature
    extension(ids.keyUsage, true, bits(Buffer.from([0b1000_0000]), 7)),
    extension(ids.extendedKeyUsage, false, sequence(...leaf.usage.map((usage) => oid(ids[usage])))),
    ...(names.length === 0 ? [] : [extension(ids.subjectAltName, false, sequence(...names.map(generalName)))]),
  ];
  const issuerKey = createPrivateKey(authority.key);
  return issue({ subject: leaf.subject, key: newKey(), extensions, issuer: authority.subject, issuerKey, now });
}

interface Issue {
  readonly subject: Subject;
  readonly key: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly issuer: Subject;
  readonly issuerKey: KeyObject;
  readonly now: Date;
}

function issue(of: Issue): KeyAndCertificate {
  const algorithm = sequence(oid(ids.ecdsaWithSha256));
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    nameOf(of.issuer),
    sequence(time(new Date(of.now.getTime() - backdateMs)), time(new Date(of.now.getTime() + tenYearsMs))),
    nameOf(of.subject),
    createPublicKey(of.key).export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...of.extensions)),
  );
  const certificate = sequence(body, algorithm, bits(sign('sha256', body, of.issuerKey)));
  return {
    key: of.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: pem('CERTIFICATE', certificate),
  };
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function nameOf(subject: Subject): Buffer {
  const part = (id: string, value: string) => set(sequence(oid(id), text(value)));
  return sequence(
    ...(subject.organization === undefined ? [] : [part(ids.organization, subject.organization)]),
    part(ids.commonName, subject.commonName),
  );
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

function generalName(name: string): Buffer {
  return isIP(name) === 4
    ? implicit(7, Buffer.from(name.split('.').map(Number)))
    : der(0x82, Buffer.from(name, 'ascii'));
}
