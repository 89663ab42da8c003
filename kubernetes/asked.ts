/** What a request asks for, derived from its path, so that no caller can forget to say it, or say it wrongly. Pure. */
import type { Verb } from './verdicts.ts';

export interface Asked {
  readonly verb: Verb;
  /** Empty for the core group. */
  readonly group: string;
  /** Plural: `pipelines`. */
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
}

interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly contentType?: string | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
}

export const applyType = 'application/apply-patch+yaml';

/** `/apis/apps/v1/namespaces/shop/deployments/orders/scale` → Deployment `orders` of `shop`. */
export function askedOf(request: Request): Asked {
  const parts = request.path.split('/').filter((part) => part !== '');
  const isCore = parts[0] === 'api';
  const group = isCore ? '' : (parts[1] ?? '');
  const [first, second, ...deeper] = parts.slice(isCore ? 2 : 3).map(decodeURIComponent);
  // `namespaces/shop` alone is the namespace itself; when more follows, it is the namespace of that object.
  const isInside = first === 'namespaces' && second !== undefined && deeper.length > 0;
  const [resource = '', name] = isInside ? deeper : [first, second];
  return {
    verb: verbOf(request, name !== undefined),
    group,
    resource,
    ...(isInside ? { namespace: second } : {}),
    ...(name === undefined ? {} : { name }),
  };
}

function verbOf({ method, contentType, query }: Request, hasName: boolean): Verb {
  switch (method) {
    case 'GET':
      if (hasName) return 'GET';
      return query?.['watch'] === true ? 'WATCH' : 'LIST';
    case 'POST':
      return 'CREATE';
    case 'PUT':
      return 'PATCH';
    case 'PATCH':
      return contentType === applyType ? 'APPLY' : 'PATCH';
    case 'DELETE':
      return 'DELETE';
  }
}
