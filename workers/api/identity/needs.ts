/** What a route needs: the rights of Kubernetes by which its callers are judged. Roles of the chart have the same words. */
import type { Act } from '../../../kubernetes/reviews.ts';
import { group, plural } from '../../../model/names.ts';

/** `create records`: a source takes records of those who may change nothing. */
export type Need = 'get' | 'list' | 'create' | 'patch' | 'delete' | 'create records' | 'get metrics';

/** What a request is about. Undefined: of all. */
export interface At {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every one of them. Empty: whoever is known may do it. */
    needs?: readonly Need[];
  }
}

export function actOf(need: Need, { namespace, name }: At): Act {
  if (need === 'get metrics') return { verb: 'get', path: '/metrics' };
  const at = { group, resource: plural, namespace, name };
  return need === 'create records' ? { ...at, verb: 'create', subresource: 'records' } : { ...at, verb: need };
}

/** `patch pipelines.millrace.io "orders" in namespace "shop"`. */
export function actText(act: Act): string {
  if ('path' in act) return `${act.verb} ${act.path}`;
  const { verb, subresource, name, namespace } = act;
  const what = `${act.resource}${subresource === undefined ? '' : `/${subresource}`}.${act.group}`;
  const where = namespace === undefined ? 'in all namespaces' : `in namespace "${namespace}"`;
  return `${verb} ${what}${name === undefined ? '' : ` "${name}"`} ${where}`;
}
