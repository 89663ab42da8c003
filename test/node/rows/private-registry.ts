/** An upgrade to an image that only some may pull, under load. */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { namespace } from '../../deploy/support/helm.ts';
import { eventually } from '../support/eventually.ts';
import type { RealNode } from '../support/real-node.ts';
import { row } from '../support/suite.ts';

const processes = ['controller', 'lifecycle', 'api'];
const sink = 'sink-warehouse';
const imageOfPod = '.spec.containers[0].image';
/** Of the chart, and of the pods of pipelines. */
const [own, ofPods] = ['registry', 'registry-of-pods'];

/** Makes it, or writes another password into it. */
async function pullSecret({ kubectl, apply, registry }: RealNode, name: string, password: string): Promise<void> {
  const { host, user } = registry;
  const options = [`--docker-server=${host}`, `--docker-username=${user}`, `--docker-password=${password}`];
  const asText = ['--dry-run=client', '-o', 'yaml'];
  await apply(await kubectl('-n', namespace, 'create', 'secret', 'docker-registry', name, ...options, ...asText));
}

const imagesOf = (node: RealNode) => Promise.all(processes.map((name) => node.imageOf(name)));

const next = ({ registry }: RealNode) => `${registry.host}/millrace/millrace:next`;

export const privateRegistry = [
  row('changes nothing in an upgrade to an image that cannot be pulled', async (node) => {
    const before = await imagesOf(node);
    const values = [`image.registry=${node.registry.host}`, 'image.tag=next'];
    await rejects(node.release.upgrade(values, '--timeout', '20s'), /pre-upgrade hooks failed/);
    deepEqual(await imagesOf(node), before);
    await node.orders.flows();
  }),

  row('replaces its processes under load once they may pull it', async (node) => {
    await pullSecret(node, own, node.registry.password);
    await pullSecret(node, ofPods, 'wrong');
    await node.release.upgrade([`global.imagePullSecrets[0].name=${own}`, `lifecycle.podPullSecret=${ofPods}`]);
    await node.rolledOut();
    deepEqual(
      await imagesOf(node),
      processes.map(() => next(node)),
    );
    await node.orders.flows();
  }),

  row('says why the pods of a pipeline cannot pull it, and moves rows with those that it has', async ({ orders }) => {
    await orders.change({ factor: 6 });
    await eventually(async () => match(await orders.message('Ready'), /is in (ImagePullBackOff|ErrImagePull)/));
    await orders.flows();
  }),

  row('replaces them under load once their Secret is right, and nobody has to ask for it', async (node) => {
    const { orders } = node;
    await pullSecret(node, ofPods, node.registry.password);
    await orders.carries(6);
    await orders.ready();
    for (const stage of [sink, 'ingestor-orders'])
      equal(await orders.fieldOfPod(await orders.podOf(stage), imageOfPod), next(node));
    await orders.flows();
  }),
];
