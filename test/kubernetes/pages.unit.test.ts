/** One list over several namespaces, in pages. */
import { deepEqual, rejects } from 'node:assert/strict';
import { pageOf } from '../../kubernetes/pages.ts';

const stored: Readonly<Record<string, readonly string[]>> = { a: ['a1', 'a2', 'a3'], b: [], c: ['c1', 'c2'] };

/** As Kubernetes does: at most `limit`, and a token where there is more. */
async function list(namespace: string, asked: { limit?: number | undefined; continue?: string | undefined }) {
  const from = Number(asked.continue ?? 0);
  const all = stored[namespace] ?? [];
  const items = all.slice(from, asked.limit === undefined ? undefined : from + asked.limit);
  const next = from + items.length;
  return Promise.resolve(next < all.length ? { items, continue: `${next}` } : { items });
}

describe('a list over several namespaces', () => {
  const namespaces = Object.keys(stored);

  it('has everything where there is no limit', async () => {
    deepEqual(await pageOf(namespaces, {}, list), { items: ['a1', 'a2', 'a3', 'c1', 'c2'] });
  });

  for (const limit of [1, 2, 3, 4, 5])
    it(`has each once in pages of ${limit}, and none is longer`, async () => {
      const pages: (readonly string[])[] = [];
      for (let from: string | undefined; ;) {
        const page = await pageOf(namespaces, { limit, continue: from }, list);
        pages.push(page.items);
        from = page.continue;
        if (from === undefined) break;
      }
      deepEqual(pages.flat(), ['a1', 'a2', 'a3', 'c1', 'c2']);
      deepEqual(
        pages.filter(({ length }) => length > limit),
        [],
      );
    });

  it('refuses a page of namespaces that are not watched', async () => {
    for (const from of ['d/2', 'nonsense', ''])
      await rejects(pageOf(namespaces, { continue: from }, list), /begin anew/);
  });
});
