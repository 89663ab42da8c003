/**
 * Why a container cannot start now: what its waiting state shows.
 *
 * Kubernetes words, not ours: whoever reads a pod's status must see the same reasons as on a cluster.
 */
export type FaultReason = 'CreateContainerConfigError' | 'ContainerCreating' | 'NoCommand' | 'UnsupportedField';

export class ContainerFault extends Error {
  override readonly name = 'ContainerFault';
  readonly reason: FaultReason;

  constructor(reason: FaultReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
