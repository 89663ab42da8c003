/**
 * Certificates of an authority of our own, shared by all controllers in one Secret (`./kept.ts`), renewed as `./renewal.ts`
 * says, and told to the API servers in the configuration.
 *
 * O1  Every write carries the version that was read: of two controllers one is faster, and the other looks again.
 * O2  What is served is in the Secret, and its authority was told to the API servers before.
 * O3  The Secret is made by whoever installs: without the right to make Secrets, which cannot be restricted to a name, this
 *     one may be changed and no other.
 * O4  Where there is no configuration nobody asks: it may be taken away while the webhook is in the way, and is not made again.
 */
import { KubeError } from '../../../../kubernetes/kube-error.ts';
import type { Kube } from '../../../../kubernetes/kube.ts';
import type { KubeObject } from '../../../../kubernetes/objects.ts';
import type { Clock } from '../../../../model/clock.ts';
import { fieldManagers } from '../../../../model/names.ts';
import type { KeyPair } from '../listener.ts';
import { readConfiguration, tellAuthorities, toldIn } from './configuration.ts';
import { makeAuthority, makeLeaf } from './issue.ts';
import { bundleOf, certificatesIn, dataOf, keptIn, leafOf, pairOf, type Kept } from './kept.ts';
import { KeptServing } from './kept-serving.ts';
import { authorityLifeMs, backdateMs, leafLifeMs, renewalOf, type Renewal } from './renewal.ts';
import type { CertificateSource, SourceParts } from './source.ts';

export interface OwnCertificatesAt {
  readonly namespace: string;
  readonly secret: string;
  readonly configuration: string;
  /** Names and addresses by which the API server reaches us. */
  readonly hosts: readonly string[];
}

export interface OwnCertificatesParts extends SourceParts {
  readonly kube: Pick<Kube, 'get' | 'patchMerge' | 'apply'>;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
}

/** Until everything is in order: an installation is waited for. */
const soonMs = 2_000;
const everyMs = 10_000;

export class OwnCertificates implements CertificateSource {
  isTrusted = false;
  readonly #at: OwnCertificatesAt;
  readonly #parts: OwnCertificatesParts;
  readonly #serving: KeptServing;

  constructor(at: OwnCertificatesAt, parts: OwnCertificatesParts) {
    this.#at = at;
    this.#parts = parts;
    this.#serving = new KeptServing({
      ...parts,
      look: () => this.#look(),
      // O1.
      passes: (error) => error instanceof KubeError && error.isConflict() && !error.isFieldConflict(),
      pauseMs: (isSettled) => (isSettled ? everyMs : soonMs),
    });
  }

  get problem(): string | undefined {
    return this.#serving.problem;
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#serving.run(signal);
  }

  async #look(): Promise<KeyPair | undefined> {
    const { kube, clock } = this.#parts;
    const { namespace, secret: name, configuration: of, hosts } = this.#at;
    const secret = await kube.get('Secret', name, namespace);
    if (secret === undefined) throw this.#noSecret();
    const configuration = await readConfiguration(kube, of);
    const told = configuration === undefined ? undefined : toldIn(configuration);
    const now = clock.now();
    const kept = keptIn(secret, hosts);
    const renewal = renewalOf({ now, kept, told });
    const renewed = await renewedBy(renewal, kept, hosts, now);
    if (renewed !== kept) await this.#keep(secret, renewed);
    if (configuration !== undefined) await tellAuthorities(kube, configuration, bundleOf(renewed.authorities));
    this.isTrusted = true;
    return renewed.leaf && pairOf(renewed.leaf);
  }

  /** O3. */
  #noSecret(): Error {
    const { namespace, secret } = this.#at;
    return new Error(`there is no Secret "${secret}" in namespace "${namespace}", which the chart makes`);
  }

  /** O1. */
  async #keep({ metadata: { resourceVersion } }: KubeObject, kept: Kept): Promise<void> {
    const { namespace, secret } = this.#at;
    const patch = { metadata: { resourceVersion }, data: dataOf(kept) };
    const by = { fieldManager: fieldManagers.webhook };
    const written = await this.#parts.kube.patchMerge('Secret', secret, namespace, patch, by);
    if (written === undefined) throw this.#noSecret();
  }
}

/** `kept` itself when nothing is renewed. */
async function renewedBy(renewal: Renewal, kept: Kept, hosts: readonly string[], now: number): Promise<Kept> {
  const isAsItWas = renewal.keep.length === kept.authorities.length;
  if (!renewal.makeAuthority && !renewal.makeLeaf && isAsItWas) return kept;
  const from = now - backdateMs;
  const made = renewal.makeAuthority ? await makeAuthority({ from, until: now + authorityLifeMs }) : undefined;
  const authorities = [...renewal.keep, ...certificatesIn(made?.cert ?? '')];
  const signingKey = made?.key ?? kept.signingKey;
  const newest = authorities.at(-1);
  if (!renewal.makeLeaf || newest === undefined || signingKey === undefined)
    return { ...kept, authorities, signingKey };
  const span = { from, until: Math.min(now + leafLifeMs, newest.until) };
  const { cert, key } = await makeLeaf({ cert: newest.pem, key: signingKey }, hosts, span);
  return { authorities, signingKey, leaf: leafOf(cert, key, authorities, hosts) };
}
