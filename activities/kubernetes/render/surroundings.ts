/**
 * The environment of a pipeline's pods: namespace, account, network policy.
 *
 * Egress stays open: endpoints are host names, which a NetworkPolicy cannot name, and a list of addresses would break
 * whenever DNS changes. Ingress is closed but for metrics and, where a source listens, its records.
 */
import type { Manifest } from '../../../kubernetes/objects.ts';
import { commonLabels, metadata, objectNames, ownerLabels, stamp, type RenderContext } from './context.ts';
import { httpPort, recordsPort } from '../../../model/ports.ts';
import { listensForRecords } from './deployment.ts';

/** Only for isolation: Namespace. */
export function renderNamespace(context: RenderContext): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: context.plan.workloadNamespace,
      labels: {
        ...commonLabels(context.plan),
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/warn': 'restricted',
      },
      annotations: stamp(context),
    },
  };
}

/** `pullsWithSecret`: the kubelet pulls the image of its pods with the Secret of `./pod-access.ts`. */
export function renderServiceAccount(context: RenderContext, pullsWithSecret = false): Manifest {
  const names = objectNames(context.plan);
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: metadata(context, names.serviceAccount),
    automountServiceAccountToken: false,
    ...(pullsWithSecret ? { imagePullSecrets: [{ name: names.imagePull }] } : {}),
  };
}

export function renderNetworkPolicy(context: RenderContext): Manifest {
  const { plan } = context;
  const listeners = plan.stages.filter(listensForRecords);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(context, objectNames(plan).networkPolicy),
    spec: {
      podSelector: { matchLabels: ownerLabels(plan.pipeline.uid) },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ namespaceSelector: {} }],
          ports: [
            { port: httpPort, protocol: 'TCP' },
            ...(listeners.length > 0 ? [{ port: recordsPort, protocol: 'TCP' }] : []),
          ],
        },
      ],
    },
  };
}
