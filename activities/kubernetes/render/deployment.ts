/**
 * The pods of a stage, and the objects beside them.
 *
 * P1  Everything a pod needs to know is in the plan file; its environment names the stage and where things are.
 * P2  Pods satisfy Pod Security `restricted` and have no API token.
 * P3  A pod gets the credentials that its own stage refers to, and no others.
 * P4  The template changes only when the configuration of the stage changes (`./stage-hash.ts`), or when access to NATS
 *     comes or goes (`./pod-access.ts`): `planName` stays until then.
 */
import { findReferences } from '../../../model/credentials.ts';
import { annotations, credentialKey } from '../../../model/names.ts';
import { httpPort, recordsPort } from '../../../model/ports.ts';
import { takesRecords } from '../../../crds/unions.ts';
import type { Plan, Stage } from '../../../model/plan.ts';
import type { Manifest } from '../../../kubernetes/objects.ts';
import { commonLabels, metadata, objectNames, stageSelector, type RenderContext } from './context.ts';
import { nodeOptions } from './node-options.ts';
import { natsAccessParts } from './pod-access.ts';

/** On the pod template: changes when the copied credentials change, so that pods that use some are replaced. */
export const credentialsAnnotation = 'millrace.io/credentials-version';
export const planVolume = 'plan';
export const credentialsVolumeName = 'credentials';

const planDir = '/etc/millrace/plan';
const credentialsDir = '/etc/millrace/credentials';

export interface StagePods {
  readonly stage: Stage;
  readonly replicas: number;
  readonly specHash: string;
  /** The ConfigMap of the generation in which this stage changed last. */
  readonly planName: string;
  /** Absent when the stage refers to no credential. */
  readonly credentialsVersion?: string | undefined;
}

export function listensForRecords(stage: Stage): boolean {
  return stage.kind === 'ingestor' && takesRecords(stage.connector);
}

export function renderDeployment(context: RenderContext, pods: StagePods): Manifest {
  const { plan } = context;
  const { stage } = pods;
  const selector = stageSelector(plan.pipeline.uid, stage.name);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(context, stage.workload, stage),
    spec: {
      replicas: pods.replicas,
      revisionHistoryLimit: 2,
      // Slots move between old and new pods by lease, so both may run at once and a broken new pod stops nothing.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: selector },
      template: {
        metadata: {
          labels: commonLabels(plan, stage),
          annotations: {
            [annotations.specHash]: pods.specHash,
            ...(pods.credentialsVersion === undefined ? {} : { [credentialsAnnotation]: pods.credentialsVersion }),
          },
        },
        spec: {
          serviceAccountName: objectNames(plan).serviceAccount,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selector },
            },
          ],
          containers: [container(context, stage)],
          volumes: [
            { name: planVolume, configMap: { name: pods.planName } },
            ...credentialsVolume(plan, stage),
            ...natsAccessParts(context).volumes,
          ],
        },
      },
    },
  };
}

function container(context: RenderContext, stage: Stage) {
  const access = natsAccessParts(context);
  return {
    name: 'worker',
    image: context.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['millrace', 'worker', stage.kind],
    env: [
      { name: 'NODE_OPTIONS', value: nodeOptions(stage.kind) },
      { name: 'MILLRACE_STAGE', value: stage.name },
      { name: 'MILLRACE_PLAN_FILE', value: `${planDir}/plan.json` },
      { name: 'MILLRACE_CREDENTIALS_DIR', value: credentialsDir },
      { name: 'MILLRACE_NATS_URL', value: context.natsUrl },
      ...access.env,
      { name: 'MILLRACE_POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'MILLRACE_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ],
    ports: [
      { name: 'http', containerPort: httpPort, protocol: 'TCP' },
      ...(listensForRecords(stage) ? [{ name: 'records', containerPort: recordsPort, protocol: 'TCP' }] : []),
    ],
    resources: { requests: { ...stage.resources.requests }, limits: { ...stage.resources.limits } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    // Ten minutes: a process that starts on a busy node is slow, not broken, and one that is broken exits.
    // Nothing listens in the first half second: a probe at once would only leave an Event "Unhealthy" after each start.
    startupProbe: { ...probe('/health/alive'), initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 600 },
    livenessProbe: { ...probe('/health/alive'), periodSeconds: 10, failureThreshold: 3 },
    readinessProbe: { ...probe('/health/ready'), periodSeconds: 2, failureThreshold: 2 },
    volumeMounts: [
      { name: planVolume, mountPath: planDir, readOnly: true },
      ...(findReferences(stage.config).refs.length === 0
        ? []
        : [{ name: credentialsVolumeName, mountPath: credentialsDir, readOnly: true }]),
      ...access.volumeMounts,
    ],
  };
}

/**
 * P3. Optional: the pod reports which key is missing; with a required key it would not start and could report
 * nothing.
 */
function credentialsVolume(plan: Plan, stage: Stage) {
  const keys = findReferences(stage.config).refs.map(credentialKey);
  if (keys.length === 0) return [];
  const items = keys.map((key) => ({ key, path: key }));
  const secretName = objectNames(plan).credentials;
  return [{ name: credentialsVolumeName, secret: { secretName, items, optional: true } }];
}

function probe(path: string) {
  // At a load of 40 on two cores a healthy pod once needed seconds for this answer, and was killed for it.
  return { httpGet: { path, port: 'http' }, timeoutSeconds: 10 };
}

export function renderDisruptionBudget(context: RenderContext, stage: Stage): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadata(context, stage.workload, stage),
    spec: {
      maxUnavailable: 1,
      // The only pod of a stage that is not ready, such as while NATS is away, would hold up a drain for as long.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: stageSelector(context.plan.pipeline.uid, stage.name) },
    },
  };
}

/** Where a source listens: its pods behind one name. */
export function renderService(context: RenderContext, stage: Stage): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(context, stage.workload, stage),
    spec: {
      type: 'ClusterIP',
      selector: stageSelector(context.plan.pipeline.uid, stage.name),
      ports: [{ name: 'records', port: recordsPort, targetPort: 'records', protocol: 'TCP' }],
    },
  };
}
