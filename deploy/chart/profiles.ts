/** What the profiles of the chart stand for: the values that are null in `values.yaml`. */
import type { z } from 'zod';
import type { valuesSchema } from './values.ts';

export type ProfileName = z.output<typeof valuesSchema>['profile'];

export interface ProfileRow {
  /** Path in the values. */
  readonly value: string;
  readonly lab: boolean | number | string;
  readonly production: boolean | number | string;
  readonly why: string;
}

const pods = (process: string, why: string): ProfileRow => ({
  value: `${process}.replicas`,
  lab: 1,
  production: 2,
  why,
});

export const profileRows: readonly ProfileRow[] = [
  pods('controller', 'the second waits for the lease, and takes over within seconds'),
  pods('lifecycle', 'operations go on when a pod or its node is lost'),
  pods('api', 'requests go to those that are there'),
  {
    value: 'webhook.enabled',
    lab: true,
    production: true,
    why: 'what is wrong with a pipeline is said where it is applied, and not only in its status',
  },
  { value: 'nats.replicas', lab: 1, production: 3, why: 'one server may be lost at any time' },
  { value: 'nats.streamReplicas', lab: 1, production: 3, why: 'what is acknowledged is on a majority of the servers' },
  {
    value: 'nats.storage.size',
    lab: '5Gi',
    production: '50Gi',
    why: 'what a sink that is down for hours leaves behind',
  },
  {
    value: 'nats.jetStream.maxFileStore',
    lab: '4Gi',
    production: '45Gi',
    why: 'a volume that is full stops JetStream',
  },
  {
    value: 'nats.auth.enabled',
    lab: false,
    production: true,
    why: 'the pods of a pipeline reach what belongs to it, and nothing else',
  },
  { value: 'nats.tls.mode', lab: 'off', production: 'generated', why: 'records are not read on the way' },
  { value: 'temporal.devServer.enabled', lab: true, production: false, why: 'it is one process, and not made to last' },
  {
    value: 'podDisruptionBudgets.enabled',
    lab: false,
    production: true,
    why: 'pods of one kind are evicted one after the other',
  },
  { value: 'networkPolicies.enabled', lab: false, production: true, why: 'only those get in who need to' },
];
