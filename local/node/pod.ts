/**
 * The part of the Kubernetes API that the local node reads: pods, ConfigMaps, Secrets.
 *
 * Parsed on arrival. Fields that the node ignores (image, resources, securityContext, affinity, …) are dropped here, so
 * nothing else can depend on them.
 */
import { z } from 'zod';

const meta = z.object({
  name: z.string(),
  namespace: z.string().default(''),
  uid: z.string().default(''),
  resourceVersion: z.string().default(''),
  generation: z.number().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().optional(),
});

const keyRef = z.object({ name: z.string().default(''), key: z.string(), optional: z.boolean().default(false) });
const nameRef = z.object({ name: z.string().default(''), optional: z.boolean().default(false) });
const fieldRef = z.object({ fieldPath: z.string() });

const envVar = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .object({
      fieldRef: fieldRef.optional(),
      configMapKeyRef: keyRef.optional(),
      secretKeyRef: keyRef.optional(),
      resourceFieldRef: z.looseObject({}).optional(),
    })
    .optional(),
});

const envFrom = z.object({
  prefix: z.string().default(''),
  configMapRef: nameRef.optional(),
  secretRef: nameRef.optional(),
});

const portRef = z.union([z.number(), z.string()]);
const httpGet = z.object({
  path: z.string().default('/'),
  port: portRef,
  host: z.string().optional(),
  scheme: z.string().default('HTTP'),
  httpHeaders: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
});
const exec = z.object({ command: z.array(z.string()).default([]) });
const tcpSocket = z.object({ port: portRef, host: z.string().optional() });

const probe = z.object({
  httpGet: httpGet.optional(),
  tcpSocket: tcpSocket.optional(),
  exec: exec.optional(),
  grpc: z.looseObject({}).optional(),
  initialDelaySeconds: z.number().default(0),
  timeoutSeconds: z.number().default(1),
  periodSeconds: z.number().default(10),
  successThreshold: z.number().default(1),
  failureThreshold: z.number().default(3),
  terminationGracePeriodSeconds: z.number().optional(),
});

const handler = z.object({
  exec: exec.optional(),
  httpGet: httpGet.optional(),
  sleep: z.object({ seconds: z.number() }).optional(),
});

const container = z.object({
  name: z.string(),
  image: z.string().default(''),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  workingDir: z.string().optional(),
  env: z.array(envVar).default([]),
  envFrom: z.array(envFrom).default([]),
  ports: z.array(z.object({ name: z.string().optional(), containerPort: z.number() })).default([]),
  volumeMounts: z
    .array(z.object({ name: z.string(), mountPath: z.string(), subPath: z.string().optional() }))
    .default([]),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  startupProbe: probe.optional(),
  lifecycle: z.object({ preStop: handler.optional(), postStart: z.looseObject({}).optional() }).optional(),
  terminationMessagePolicy: z.string().default('File'),
  /** Set only on an init container that is a sidecar. */
  restartPolicy: z.string().optional(),
});

const item = z.object({ key: z.string(), path: z.string(), mode: z.number().optional() });
const downwardItem = z.object({
  path: z.string(),
  mode: z.number().optional(),
  fieldRef: fieldRef.optional(),
  resourceFieldRef: z.looseObject({}).optional(),
});
const keyed = { items: z.array(item).optional(), optional: z.boolean().default(false) };

const projection = z.object({
  configMap: z.object({ name: z.string().default(''), ...keyed }).optional(),
  secret: z.object({ name: z.string().default(''), ...keyed }).optional(),
  downwardAPI: z.object({ items: z.array(downwardItem).default([]) }).optional(),
  serviceAccountToken: z
    .object({ path: z.string(), audience: z.string().optional(), expirationSeconds: z.number().default(3600) })
    .optional(),
});

const mode = z.number().default(0o644);
const volume = z.looseObject({
  name: z.string(),
  configMap: z.object({ name: z.string().default(''), defaultMode: mode, ...keyed }).optional(),
  secret: z.object({ secretName: z.string().default(''), defaultMode: mode, ...keyed }).optional(),
  downwardAPI: z.object({ items: z.array(downwardItem).default([]), defaultMode: mode }).optional(),
  projected: z.object({ sources: z.array(projection).default([]), defaultMode: mode }).optional(),
  emptyDir: z.looseObject({}).optional(),
});

export const podSchema = z.object({
  metadata: meta,
  spec: z.object({
    nodeName: z.string().optional(),
    serviceAccountName: z.string().default('default'),
    restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).default('Always'),
    terminationGracePeriodSeconds: z.number().default(30),
    activeDeadlineSeconds: z.number().optional(),
    containers: z.array(container),
    initContainers: z.array(container).default([]),
    volumes: z.array(volume).default([]),
    readinessGates: z.array(z.object({ conditionType: z.string() })).default([]),
  }),
  status: z.looseObject({ phase: z.string().optional(), startTime: z.string().optional() }).default({}),
});

export const configMapSchema = z.object({
  metadata: meta,
  data: z.record(z.string(), z.string()).default({}),
  binaryData: z.record(z.string(), z.string()).default({}),
});

export const secretSchema = z.object({ metadata: meta, data: z.record(z.string(), z.string()).default({}) });

export type Pod = z.infer<typeof podSchema>;
export type Container = z.infer<typeof container>;
export type EnvVar = z.infer<typeof envVar>;
export type Probe = z.infer<typeof probe>;
export type HttpGet = z.infer<typeof httpGet>;
export type Handler = z.infer<typeof handler>;
export type Volume = z.infer<typeof volume>;
export type Projection = z.infer<typeof projection>;
export type DownwardItem = z.infer<typeof downwardItem>;
export type KeyItem = z.infer<typeof item>;

/** Every key of a ConfigMap or Secret as bytes. */
export interface KeyedSource {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly data: ReadonlyMap<string, Buffer>;
}
