import { deepStrictEqual, match, rejects, strictEqual } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { startKubernetes, type Kubernetes } from '../../../local/parts/kubernetes.ts';
import { requestApi, type ApiAccess } from '../../../local/parts/kubernetes/request.ts';
import { ensurePki } from '../../../local/parts/kubernetes/pki.ts';
import { applyDefinitions } from '../../../local/stack/definitions.ts';
import { eventually } from '../../support/eventually.ts';

const podList = z.looseObject({ items: z.array(z.looseObject({ status: z.looseObject({ phase: z.string() }) })) });
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: {
    selector: { matchLabels: { app: 'd' } },
    template: { metadata: { labels: { app: 'd' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
};

describe('a Kubernetes API on loopback', function () {
  let dir: string;
  let kubernetes: Kubernetes;
  let access: ApiAccess;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-kubernetes-'));
    kubernetes = await startKubernetes({ dir, unsafeNoFsync: true });
    const pki = await ensurePki(join(dir, 'pki'), new Date());
    access = { url: kubernetes.url, ca: pki.ca, user: pki.admin };
  });
  after(async () => {
    await kubernetes.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const apply = (path: string, object: unknown) =>
    requestApi(access, 'PATCH', `${path}?fieldManager=test`, {
      type: 'application/apply-patch+yaml',
      text: JSON.stringify(object),
    });

  it('makes the pods of a Deployment, which wait for a node', async () => {
    strictEqual((await apply('/apis/apps/v1/namespaces/default/deployments/d', deployment)).status, 201);
    await eventually(async () => {
      const pods = podList.parse(JSON.parse((await requestApi(access, 'GET', '/api/v1/namespaces/default/pods')).body));
      deepStrictEqual(
        pods.items.map(({ status }) => status.phase),
        ['Pending'],
      );
    });
  });

  it('says its own version, not a development one', async () => {
    match((await requestApi(access, 'GET', '/version')).body, /"gitVersion": "v1\.36\./);
  });

  it('has a kubeconfig that names the server and holds its keys inline', () => {
    const config: unknown = parse(kubernetes.kubeconfig);
    const { clusters, users } = z
      .looseObject({
        clusters: z.array(z.looseObject({ cluster: z.looseObject({ server: z.string() }) })),
        users: z.array(z.looseObject({ user: z.looseObject({ 'client-key-data': z.string() }) })),
      })
      .parse(config);
    strictEqual(clusters[0]?.cluster.server, kubernetes.url);
    match(Buffer.from(users[0]?.user['client-key-data'] ?? '', 'base64').toString(), /PRIVATE KEY/);
  });

  describe('applying definitions', () => {
    const crd = (plural: string) => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${plural}.test.millrace.io}
spec:
  group: test.millrace.io
  scope: Namespaced
  names: {plural: ${plural}, singular: thing, kind: Thing}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`;

    it('waits until the API serves them', async () => {
      const files = join(dir, 'good');
      await mkdir(files);
      await writeFile(join(files, 'things.yaml'), crd('things'));
      deepStrictEqual(await applyDefinitions(access, files), ['things.test.millrace.io']);
      strictEqual((await requestApi(access, 'GET', '/apis/test.millrace.io/v1/things')).status, 200);
    });

    it('says what the API refuses', async () => {
      const files = join(dir, 'bad');
      await mkdir(files);
      await writeFile(join(files, 'things.yaml'), crd('others').replace('openAPIV3Schema', 'openAPIV3Scheme'));
      await rejects(applyDefinitions(access, files), /MR_KUBERNETES_REFUSED.*others\.test\.millrace\.io/);
    });
  });
});
