/**
 * One line for each change that somebody asked for: who, what, and what became of it.
 *
 * L1  Written when the answer is known, whether or not the caller is still there to read it.
 * L2  Of those who are known only: whoever shows no right token has changed nothing, and is in the log of requests.
 * L3  Names only: no body, no header, no value of a spec.
 * L4  Written whatever the level of the log is.
 * L5  Once something was stored, what goes wrong is `failed` and never `refused`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { cut } from '../../model/text.ts';
import type { Api } from './api.ts';
import { aboutWhat } from './guard.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The change that the route makes: `apply`. Undefined: it makes none. */
    changes?: Change;
  }
  interface FastifyRequest {
    /** Why it was refused: row of the error table. */
    problem: string | null;
    /** L5. */
    hasStored: boolean;
  }
}

export type Change = 'apply' | 'delete' | 'pause' | 'stop' | 'resume' | 'retry' | 'decide';

export interface AuditLine {
  /** Finds these lines among others. */
  readonly audit: 'pipeline';
  /** Of Kubernetes; `the token` or `anybody` where callers are not told apart. */
  readonly who: string;
  readonly what: Change;
  readonly namespace: string;
  readonly name: string;
  /** `failed`: it may have been stored all the same. */
  readonly outcome: 'done' | 'unchanged' | 'dryRun' | 'refused' | 'failed';
  /** Row of the error table. */
  readonly code?: string;
  readonly requestId: string;
}

const longestName = 253;

/** `whoElse`: those whose name is not asked for. */
export function auditChanges(server: Api, whoElse: 'the token' | 'anybody' | undefined): void {
  server.decorateRequest('problem', null);
  server.decorateRequest('hasStored', false);
  // L4.
  const log = server.log.child({}, { level: 'info' });
  server.addHook('onSend', async (request, reply, payload) => {
    const { changes } = request.routeOptions.config;
    const who = request.caller?.name ?? whoElse;
    if (changes !== undefined && who !== undefined && request.isLetIn) {
      const line = lineOf(who, changes, request, reply);
      log.info(line, `${line.who}: ${line.what} ${line.namespace}/${line.name}: ${line.outcome}`);
    }
    return payload;
  });
}

function lineOf(who: string, what: Change, request: FastifyRequest, { statusCode }: FastifyReply): AuditLine {
  const { namespace = '', name = '' } = aboutWhat(request);
  return {
    ...{ audit: 'pipeline', who, what },
    namespace: cut(namespace, longestName),
    name: cut(name, longestName),
    outcome: outcomeOf(request, what, statusCode),
    ...(request.problem === null ? {} : { code: request.problem }),
    requestId: request.id,
  };
}

function outcomeOf({ query, hasStored }: FastifyRequest, what: Change, status: number): AuditLine['outcome'] {
  if (status >= 500 || (status >= 400 && hasStored)) return 'failed';
  if (status >= 400) return 'refused';
  const isDryRun = typeof query === 'object' && query !== null && 'dryRun' in query && query.dryRun === 'true';
  if (isDryRun) return 'dryRun';
  // A decision that is carried out at once is answered with 200 as well.
  return status === 200 && what !== 'decide' ? 'unchanged' : 'done';
}
