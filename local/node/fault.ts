/**
 * Why a container cannot start now: the reason in its waiting state.
 *
 * The reasons are those of Kubernetes, so that a pod's status reads as on a cluster.
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
