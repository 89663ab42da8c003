/** What a process that watches some namespaces sends, and what it refuses before it is sent. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { confined } from '../../kubernetes/confined.ts';
import { createKube } from '../../kubernetes/kube.ts';
import type { KubeRequest, KubeTransport } from '../../kubernetes/transport.ts';
import { MillraceError } from '../../model/errors.ts';

/** Answers every list with one object that is named after its namespace, and notes what it was asked. */
class NotingTransport implements KubeTransport {
  readonly server = 'test';
  readonly asked: string[] = [];
  readonly send = ({ method, path }: KubeRequest): Promise<unknown> => {
    this.asked.push(`${method} ${path}`);
    const [, namespace = 'all'] = /namespaces\/([^/]+)\//.exec(path) ?? [];
    return Promise.resolve({
      kind: path.endsWith('secrets') ? 'SecretList' : 'NamespaceList',
      metadata: { resourceVersion: '7' },
      items: [{ metadata: { name: `of-${namespace}` } }],
    });
  };
  readonly open = ({ path }: KubeRequest) => Promise.reject(new Error(`opened ${path}`));
  close(): void {
    // Nothing is open.
  }
}

describe('a process that watches some namespaces', () => {
  let transport: NotingTransport;
  beforeEach(() => {
    transport = new NotingTransport();
  });
  const watching = (...namespaces: string[]) => createKube(confined(transport, namespaces));

  const refused = (error: unknown) => {
    equal(error instanceof MillraceError && error.code, 'MR_NAMESPACE_NOT_WATCHED');
    return true;
  };

  it('N1: sends nothing about another namespace, and says which it watches', async () => {
    const kube = watching('shop', 'billing');
    await rejects(kube.get('Secret', 'keys', 'kitchen'), /\(shop, billing\), and "kitchen" is none of them/);
    await rejects(kube.delete('Pipeline', 'orders', 'kitchen'), refused);
    await rejects(kube.patchMerge('Pipeline', 'orders', 'kitchen', {}, { fieldManager: 'test' }), refused);
    await rejects(kube.list('Pod', { namespace: 'kitchen' }), refused);
    deepEqual(transport.asked, []);
  });

  it('N2: asks about namespaces themselves, and about leases where Millrace is', async () => {
    const kube = watching('shop');
    for (const ask of [kube.get('Namespace', 'kube-system'), kube.get('Lease', 'controller', 'millrace-system')])
      await ask.catch(() => undefined);
    deepEqual(transport.asked, [
      'GET /api/v1/namespaces/kube-system',
      'GET /apis/coordination.k8s.io/v1/namespaces/millrace-system/leases/controller',
    ]);
  });

  it('N3: lists in each namespace where all are asked for, and watches none without naming it', async () => {
    const kube = watching('shop', 'billing');
    const { items } = await kube.list('Secret');
    deepEqual(
      items.map(({ metadata }) => metadata.name),
      ['of-shop', 'of-billing'],
    );
    const watch = { method: 'GET', path: '/api/v1/secrets', query: { watch: true }, what: 'watch Secret' } as const;
    await rejects(kube.transport.open(watch), refused);
  });

  it('watches all namespaces where none is named', async () => {
    const kube = watching();
    deepEqual((await kube.list('Secret')).resourceVersion, '7');
    deepEqual(transport.asked, ['GET /api/v1/secrets']);
  });
});
