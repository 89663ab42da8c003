/**
 * One list over several namespaces, page by page: the namespaces in turn, each with the pages of Kubernetes.
 *
 * A page ends with `namespace/token`: where the next one begins. Kubernetes makes the token; it is empty at the beginning of a
 * namespace.
 */
import { mr } from '../model/errors.ts';

interface Asked {
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly continue?: string;
}

/** Throws MR_REQUEST_INVALID for a page of namespaces that are not watched any more. */
export async function pageOf<Item>(
  namespaces: readonly string[],
  { limit, continue: from }: Asked,
  list: (namespace: string, asked: Asked) => Promise<Page<Item>>,
): Promise<Page<Item>> {
  let [namespace = '', token = ''] = from === undefined ? namespaces.slice(0, 1) : partsOf(from);
  if (!namespaces.includes(namespace)) {
    throw mr('MR_REQUEST_INVALID', { where: 'continue', problem: 'it is not of this list: begin anew' });
  }
  const items: Item[] = [];
  for (;;) {
    const room = limit === undefined ? undefined : limit - items.length;
    // In turn: what one namespace has decides how many are asked of the next.
    const page = await list(namespace, { limit: room, continue: token === '' ? undefined : token });
    items.push(...page.items);
    if (page.continue !== undefined) return { items, continue: `${namespace}/${page.continue}` };
    const next = namespaces[namespaces.indexOf(namespace) + 1];
    if (next === undefined) return { items };
    if (limit !== undefined && items.length >= limit) return { items, continue: `${next}/` };
    [namespace, token] = [next, ''];
  }
}

/** The name of a namespace has no slash. */
function partsOf(from: string): readonly string[] {
  const end = from.indexOf('/');
  return end === -1 ? [] : [from.slice(0, end), from.slice(end + 1)];
}
