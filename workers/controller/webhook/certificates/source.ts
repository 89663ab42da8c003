/** Where the webhook's certificate comes from. */
import type { KeyPair } from '../listener.ts';

export interface CertificateSource {
  /** Resolves when the signal is aborted. Rejects only when `onPair` does: there is no port to listen on. */
  run(signal: AbortSignal): Promise<void>;
  /** The API server believes what is served, as far as this process has a part in it. */
  readonly isTrusted: boolean;
  /** Why the certificate is not renewed; undefined: nothing is wrong. */
  readonly problem: string | undefined;
}

export interface SourceParts {
  /** Called with each certificate that is to be served from now on. */
  readonly onPair: (pair: KeyPair) => Promise<void>;
  /** A new problem, once. */
  readonly onProblem: (problem: string) => void;
}
