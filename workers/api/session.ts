/**
 * What a handler works with: the pipelines, in the name of the one who asks.
 *
 * S1  Where the API knows its callers, everything that a handler asks of Kubernetes by its session is asked in the caller's
 *     name: Kubernetes authorises, admits and audits it as theirs. Else it is asked in the API's own.
 * S2  A request by which something was stored has it noted, as soon as Kubernetes has said so (`./audit.ts`, L5).
 */
import type { FastifyRequest } from 'fastify';
import { withDefaults } from '../../crds/defaults.ts';
import { createKube, type Kube } from '../../kubernetes/kube.ts';
import { pipelineDoor, type PipelineDoor } from '../../kubernetes/pipelines.ts';
import type { KubeTransport } from '../../kubernetes/transport.ts';
import type { Caller } from '../../model/caller.ts';
import { fieldManagers } from '../../model/names.ts';
import { Changes, type ChangesOptions } from './changes.ts';
import { aboutWhat } from './guard.ts';
import type { Identity } from './identity/identity.ts';
import type { Need } from './identity/needs.ts';

export interface Session {
  readonly pipelines: PipelineDoor;
  readonly changes: Changes;
  /** For what is needed only in some cases. Throws MR_CALLER_FORBIDDEN, MR_IDENTITY_UNKNOWN. */
  must(need: Need): Promise<void>;
}

export type SessionOf = (request: FastifyRequest) => Session;

export interface SessionOptions extends Omit<ChangesOptions, 'pipelines'> {
  /** In the API's own name. */
  readonly kube: Kube;
}

export function sessionsOf(options: SessionOptions, identity: Identity | undefined): SessionOf {
  return (request) => {
    const { transport } = identity === undefined ? options.kube : identity.kubeOf(callerOf(request));
    const kube = createKube(noting(transport, () => (request.hasStored = true)));
    const pipelines = pipelineDoor(kube, fieldManagers.api, withDefaults);
    return {
      pipelines,
      changes: new Changes({ ...options, pipelines }),
      must: async (need) => identity?.authorise(callerOf(request), need, aboutWhat(request)),
    };
  };
}

function callerOf({ caller }: FastifyRequest): Caller {
  if (caller === null) throw new TypeError('a route that is open to everybody must not use pipelines');
  return caller;
}

/** S2. */
function noting(transport: KubeTransport, stored: () => void): KubeTransport {
  return {
    ...transport,
    async send(request) {
      const answer = await transport.send(request);
      if (request.method !== 'GET' && request.query?.['dryRun'] === undefined) stored();
      return answer;
    },
  };
}
