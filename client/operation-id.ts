/**
 * The id of a change. Two forms, both of which the API's operations route takes:
 *
 * - `<entity>/op/<seq>-<kind>-g<generation>`: the Temporal workflow that carries the change out;
 * - `<entity>/g<generation>`, for a deletion `<entity>/g<generation>/delete`, and for a pause or a stop
 *   `<entity>/g<generation>/still`: the change itself, when no workflow was planned yet as the request was answered.
 *
 * `<entity>` is `pipeline/<namespace>/<name>/<uid>`: it goes on meaning the same pipeline after that was deleted.
 */
import { entityWorkflowId, operationWorkflowId } from '../model/names.ts';

export interface OperationId {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly deletes: boolean;
  /** It asks for standing still, and not for a spec (`./settled.ts`). */
  readonly stands: boolean;
  /** Null for the second form. */
  readonly planned: { readonly seq: number; readonly kind: string } | null;
}

const form = /^pipeline\/([^/]+)\/([^/]+)\/([^/]+)\/(?:op\/([0-9]+)-([A-Za-z]+)-)?g([0-9]+)(\/delete|\/still)?$/;

export function parseOperationId(id: string): OperationId | null {
  const [, namespace, name, uid, seq, kind, generation, asked] = form.exec(id) ?? [];
  if (namespace === undefined || name === undefined || uid === undefined || generation === undefined) return null;
  const planned = seq === undefined || kind === undefined ? null : { seq: Number(seq), kind };
  const deletes = asked === '/delete' || planned?.kind === 'teardown';
  const stands = asked === '/still' || planned?.kind === 'pause' || planned?.kind === 'stop';
  return { namespace, name, uid, generation: Number(generation), deletes, stands, planned };
}

export function formatOperationId({ namespace, name, uid, generation, deletes, stands, planned }: OperationId): string {
  const entity = entityWorkflowId(namespace, name, uid);
  if (planned) return operationWorkflowId(entity, planned.seq, planned.kind, generation);
  return `${entity}/g${generation}${deletes ? '/delete' : stands ? '/still' : ''}`;
}
