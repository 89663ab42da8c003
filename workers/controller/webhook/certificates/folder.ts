/**
 * A certificate from a folder, `tls.crt` and `tls.key`: a Secret of cert-manager, or of whoever else, that is mounted. It is
 * looked at every few seconds; what is exchanged halfway, or is not usable, is not served, and what was served before is.
 *
 * Who makes it also says in the configuration whom the API server believes (`caBundle`).
 */
import type { Clock } from '../../../../model/clock.ts';
import { AccessFolder } from '../../../process/access-folder.ts';
import type { KeyPair } from '../listener.ts';
import { isKeyOf } from './kept.ts';
import { KeptServing } from './kept-serving.ts';
import type { CertificateSource, SourceParts } from './source.ts';

export interface FolderParts extends SourceParts {
  readonly clock: Pick<Clock, 'sleep'>;
}

const everyMs = 5_000;

export class FolderCertificates implements CertificateSource {
  readonly isTrusted = true;
  readonly #folder: AccessFolder;
  readonly #serving: KeptServing;

  constructor(path: string, parts: FolderParts) {
    this.#folder = new AccessFolder(path, 'the webhook');
    this.#serving = new KeptServing({ ...parts, look: () => this.#look(), pauseMs: () => everyMs });
  }

  get problem(): string | undefined {
    return this.#serving.problem;
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#serving.run(signal);
  }

  #look(): KeyPair {
    if (!this.#folder.hasAll('tls.crt', 'tls.key')) throw this.#folder.invalid('it has no tls.crt and no tls.key');
    const [cert, key] = [this.#folder.read('tls.crt') ?? '', this.#folder.read('tls.key') ?? ''];
    if (!isKeyOf(cert, key)) throw this.#folder.invalid('tls.key is not the key of tls.crt, or one of them is no PEM');
    return { cert, key };
  }
}
