/** A Kubernetes API that does not answer: a port on which nothing listens. */
import { createKube, type Kube } from '../../../kubernetes/kube.ts';
import { createTransport } from '../../../kubernetes/transport.ts';
import { freePort } from '../../../local/ports.ts';
import type { Api } from '../../../workers/api/api.ts';
import { apiOn } from './api.ts';

/** For all tests of a `describe`, which calls this: the API on it, given to `use` before the first one. */
export function withUnreachableCluster(use: (api: Api) => void): void {
  let kube: Kube | undefined;
  let api: Api | undefined;
  before(async () => {
    const server = `https://127.0.0.1:${await freePort()}`;
    kube = createKube(createTransport({ server, hasProxy: false, options: () => Promise.resolve({}) }));
    api = await apiOn(kube);
    use(api);
  });
  after(async () => {
    await api?.close();
    kube?.close();
  });
}
