/**
 * The validating webhook: the certificate, the path, the port, the answers, and whether all that is in order.
 *
 * W1  Each controller answers, whether it holds the lease or not.
 * W2  A controller is ready when its webhook can be asked: a new pod must not take the place of one that answers.
 */
import { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { Clock } from '../../../model/clock.ts';
import type { JetStreamPort } from '../../../stream/jetstream-port.ts';
import { admit } from './admission.ts';
import { FolderCertificates } from './certificates/folder.ts';
import { OwnCertificates } from './certificates/own.ts';
import type { CertificateSource, SourceParts } from './certificates/source.ts';
import { ClusterLook } from './cluster-look.ts';
import type { WebhookConfig } from './config.ts';
import { fixedPath, listen, type KeyPair, type Listener, type ListenerOptions } from './listener.ts';
import { webhookMetrics } from './metrics.ts';
import { ReviewPath } from './review-path.ts';

export interface WebhookParts {
  readonly kube: Kube;
  /** For the certificate of its own, which is where Millrace is: `kube` may be kept to other namespaces. */
  readonly own: Kube;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly clock: Clock;
  readonly registry: Registry;
  /** 32 bytes that nobody can guess, as base64url. */
  readonly unguessable: () => string;
  readonly streams: () => JetStreamPort | undefined;
}

export class Webhook {
  readonly #parts: WebhookParts;
  readonly #source: CertificateSource;
  /** Undefined: the fixed one. */
  readonly #path: ReviewPath | undefined;
  readonly #listening: ListenerOptions;
  #listener: Listener | undefined;
  #expiresAt: number | undefined;

  constructor(config: WebhookConfig, parts: WebhookParts) {
    const { kube, log, clock, registry, streams } = parts;
    this.#parts = parts;
    this.#source = this.#sourceOf(config);
    this.#path = this.#pathOf(config);
    const look = new ClusterLook({
      ...{ kube, streams },
      onError: (what, problem) => log.warn({ what, problem }, 'a pipeline was let through without this look'),
    });
    this.#listening = {
      ...{ listen: config.listen, clock },
      takes: (path) => this.#path?.takes(path) ?? path === fixedPath,
      admit: (request, withinMs) => admit({ look, clock }, request, withinMs),
      onAnswer: webhookMetrics(registry, () => ({ expiresAt: this.#expiresAt, problem: this.#source.problem })),
      onError: (problem) => log.warn({ problem }, 'a review failed'),
    };
  }

  /** Undefined before the first certificate. */
  get port(): number | undefined {
    return this.#listener?.port;
  }

  /** W2. What is waited for. */
  notReady(): string | undefined {
    const why = this.#source.problem === undefined ? '' : `: ${this.#source.problem}`;
    if (this.#expiresAt === undefined) return `the first certificate of the webhook${why}`;
    if (!this.#source.isTrusted) return `the API server to believe the webhook${why}`;
    if (this.#path?.problem !== undefined) return `the path of the webhook: ${this.#path.problem}`;
    return this.#parts.clock.now() < this.#expiresAt ? undefined : `another certificate of the webhook${why}`;
  }

  /** Resolves when the signal is aborted and what was asked is answered. */
  async run(signal: AbortSignal): Promise<void> {
    // One after the other: both write the same two objects.
    await this.#path?.look();
    try {
      await Promise.all([this.#source.run(signal), this.#path?.run(signal)]);
    } finally {
      await this.#listener?.close();
    }
  }

  #pathOf({ path }: WebhookConfig): ReviewPath | undefined {
    const { own: kube, clock, log, unguessable } = this.#parts;
    return (
      path &&
      new ReviewPath(path, {
        ...{ kube, clock },
        random: unguessable,
        onProblem: (problem) => log.warn({ problem }, 'the path of the webhook was not looked at'),
      })
    );
  }

  #sourceOf({ certificates }: WebhookConfig): CertificateSource {
    const { own: kube, clock, log } = this.#parts;
    const parts: SourceParts = {
      onPair: (pair) => this.#use(pair),
      onProblem: (problem) => log.warn({ problem }, 'the webhook has no new certificate'),
    };
    switch (certificates.from) {
      case 'folder':
        return new FolderCertificates(certificates.folder, { ...parts, clock });
      case 'self':
        return new OwnCertificates(certificates.at, { ...parts, kube, clock });
    }
  }

  async #use(pair: KeyPair): Promise<void> {
    const { validToDate } = new X509Certificate(pair.cert);
    if (this.#listener === undefined) this.#listener = await listen(this.#listening, pair);
    else this.#listener.use(pair);
    this.#expiresAt = validToDate.getTime();
    this.#parts.log.info({ port: this.#listener.port, until: validToDate }, 'the webhook has a certificate');
  }
}
