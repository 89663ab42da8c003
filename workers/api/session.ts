/**
 * What a handler works with: the pipelines, in the name of the one who asks.
 *
 * S1  Where the API knows its callers, everything that a handler asks of Kubernetes by its session is asked in the caller's
 *     name: Kubernetes authorises, admits and audits it as theirs. Else it is asked in the API's own.
 */
import type { FastifyRequest } from 'fastify';
import { withDefaults } from '../../crds/defaults.ts';
import { pipelineDoor, type PipelineDoor } from '../../kubernetes/pipelines.ts';
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

/** `options`: with the API's own pipelines. */
export function sessionsOf(options: ChangesOptions, identity: Identity | undefined): SessionOf {
  const { pipelines } = options;
  if (identity === undefined) {
    const own = { pipelines, changes: new Changes(options), must: () => Promise.resolve() };
    return () => own;
  }
  return (request) => {
    const { caller } = request;
    if (caller === null) throw new TypeError('a route that is open to everybody must not use pipelines');
    const theirs = pipelineDoor(identity.kubeOf(caller), fieldManagers.api, withDefaults);
    return {
      pipelines: theirs,
      changes: new Changes({ ...options, pipelines: theirs }),
      must: (need) => identity.authorise(caller, need, aboutWhat(request)),
    };
  };
}
