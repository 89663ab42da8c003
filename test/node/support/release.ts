/** The release of the chart: what was once set stays set. */
import { chart, helm, namespace, setting } from '../../deploy/support/helm.ts';

/**
 * NATS asks who one is, and by TLS, as under the production profile; budgets and policies are there as well. Copies are not:
 * there is one node.
 */
const installed = [
  'profile=lab',
  'nats.auth.enabled=true',
  'nats.tls.mode=generated',
  'podDisruptionBudgets.enabled=true',
  'networkPolicies.enabled=true',
];

export class Release {
  readonly #kubeconfigPath: string;
  #values: readonly string[] = installed;

  constructor(kubeconfigPath: string) {
    this.#kubeconfigPath = kubeconfigPath;
  }

  /** `values`: more than before. */
  async install(values: readonly string[] = []): Promise<void> {
    this.#values = [...this.#values, ...values];
    await this.helm('install', 'millrace', chart, ...setting(this.#values));
  }

  /** `options`: of this upgrade. */
  async upgrade(values: readonly string[], ...options: readonly string[]): Promise<void> {
    this.#values = [...this.#values, ...values];
    await this.helm('upgrade', 'millrace', chart, ...setting(this.#values), ...options);
  }

  helm(...args: readonly string[]): Promise<string> {
    return helm([...args, '--namespace', namespace], this.#kubeconfigPath);
  }
}
