/**
 * A certificate from a folder, `tls.crt` and `tls.key`: a Secret of cert-manager, or of whoever else, that is mounted. It is
 * looked at every few seconds; what is exchanged halfway, or is not usable, is not served, and what was served before is.
 *
 * Who makes it also says in the configuration whom the API server believes (`caBundle`).
 */
import type { Clock } from '../../../../model/clock.ts';
import { mr, problemOf } from '../../../../model/errors.ts';
import { AccessFolder } from '../../../process/access-folder.ts';
import type { KeyPair } from '../listener.ts';
import { isKeyOf } from './kept.ts';
import type { CertificateSource, SourceParts } from './source.ts';

export interface FolderParts extends SourceParts {
  readonly clock: Pick<Clock, 'sleep'>;
}

const everyMs = 5_000;

export class FolderCertificates implements CertificateSource {
  readonly isTrusted = true;
  problem: string | undefined;
  readonly #folder: AccessFolder;
  readonly #parts: FolderParts;
  #served: string | undefined;

  constructor(path: string, parts: FolderParts) {
    this.#folder = new AccessFolder(path, 'the webhook');
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, onPair } = this.#parts;
    while (!signal.aborted) {
      const pair = this.#readOrSay();
      if (pair !== undefined && pair.cert + pair.key !== this.#served) {
        await onPair(pair);
        this.#served = pair.cert + pair.key;
      }
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
  }

  #readOrSay(): KeyPair | undefined {
    try {
      const pair = this.#read();
      this.problem = undefined;
      return pair;
    } catch (error) {
      const { sentence } = mr('MR_WEBHOOK_CERTIFICATE', { problem: problemOf(error) });
      if (this.problem !== sentence) this.#parts.onProblem(sentence);
      this.problem = sentence;
      return undefined;
    }
  }

  #read(): KeyPair {
    if (!this.#folder.hasAll('tls.crt', 'tls.key')) throw this.#folder.invalid('it has no tls.crt and no tls.key');
    const [cert, key] = [this.#folder.read('tls.crt') ?? '', this.#folder.read('tls.key') ?? ''];
    if (!isKeyOf(cert, key)) throw this.#folder.invalid('tls.key is not the key of tls.crt, or one of them is no PEM');
    return { cert, key };
  }
}
