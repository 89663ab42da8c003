/** The certificate of the webhook with a real API server in between: it is exchanged, and every question is answered. */
import { equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { freePort } from '../../../../local/ports.ts';
import type { Clock } from '../../../../model/clock.ts';
import { apiVersion, kind } from '../../../../model/names.ts';
import { systemClock } from '../../../../stream/clock.ts';
import { certificatesIn } from '../../../../workers/controller/webhook/certificates/kept.ts';
import { Webhook } from '../../../../workers/controller/webhook/webhook.ts';
import { eventually } from '../../../support/eventually.ts';
import { spec as smallSpec, useCluster } from '../../api/cluster.ts';
import { kubectl, makeConfiguration, makeSecret, secretName } from './rig.ts';

const day = 86_400_000;
const configurationSchema = z.looseObject({
  webhooks: z.array(z.looseObject({ clientConfig: z.looseObject({ caBundle: z.string().default('') }) })),
});

/**
 * The machine's clock, moved into the past, so that the API server believes what is made: its clock is the machine's. It
 * sleeps a hundredth of what it should.
 */
class MovedClock implements Clock {
  by = -29 * day;
  now = () => systemClock.now() + this.by;
  monotonic = systemClock.monotonic;
  after = systemClock.after;
  turn = systemClock.turn;
  sleep = (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal);
}

describe('the certificate of the webhook', () => {
  const cluster = useCluster();
  const end = new AbortController();
  const clocks = [new MovedClock(), new MovedClock()];
  let namespace: string;
  let configuration: string;
  let webhooks: Webhook[];
  let ended: Promise<unknown>;
  let port: number;

  before(async () => {
    namespace = await cluster().namespace();
    // The API server asks the first; the second shares the Secret.
    port = await freePort();
    await makeSecret(cluster().kube, namespace);
    configuration = await makeConfiguration(cluster(), { namespace, port });
    const at = { namespace, secret: secretName, configuration, hosts: ['127.0.0.1'] };
    webhooks = clocks.map(
      (clock, i) =>
        new Webhook(
          { listen: { host: '127.0.0.1', port: i === 0 ? port : 0 }, path: at, certificates: { from: 'self', at } },
          {
            ...{
              kube: cluster().kube,
              own: cluster().kube,
              log: pino({ level: 'silent' }),
              clock,
              registry: new Registry(),
            },
            streams: () => undefined,
            unguessable: () => 'x'.repeat(43),
          },
        ),
    );
    ended = Promise.all(webhooks.map((webhook) => webhook.run(end.signal)));
    await eventually(() => webhooks.every((webhook) => webhook.notReady() === undefined));
    await eventually(() => isAsked());
  });
  after(async () => {
    end.abort(new Error('the test ends'));
    await ended;
    await cluster().kube.delete('ValidatingWebhookConfiguration', configuration, undefined);
  });

  /** Whether the API server believes the webhook: it refuses in its words. */
  async function isAsked(): Promise<boolean> {
    const [sink] = smallSpec.sinks;
    const broken = { ...smallSpec, sinks: [{ ...sink, when: 'record.' }] };
    const text = JSON.stringify({ apiVersion, kind, metadata: { name: 'broken', namespace }, spec: broken });
    const said = await kubectl(cluster(), ['create', '-f', '-'], text).then(
      () => 'it was taken',
      (error: unknown) => String(error),
    );
    return /does not compile/.test(said);
  }

  /** Of the leaf that a port shows. */
  async function shownAt(at: number): Promise<string> {
    const socket = connect({ host: '127.0.0.1', port: at, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  }

  async function bundle(): Promise<readonly string[]> {
    const found = await cluster().kube.get('ValidatingWebhookConfiguration', configuration);
    const [webhook] = configurationSchema.parse(found).webhooks;
    const text = Buffer.from(webhook?.clientConfig.caBundle ?? '', 'base64').toString('utf8');
    return certificatesIn(text).map(({ fingerprint }) => fingerprint);
  }

  const ports = () => webhooks.map((webhook) => webhook.port ?? 0);
  const shown = () => Promise.all(ports().map(shownAt));
  const move = (ms: number) => clocks.forEach((clock) => (clock.by += ms));

  it('is one for two controllers, and what was written has the name of its writer', async () => {
    const [first, second] = await shown();
    equal(first, second);
    const at = ['get', 'validatingwebhookconfiguration', configuration, '-o', 'jsonpath={.metadata.managedFields}'];
    match((await kubectl(cluster(), [...at, '--show-managed-fields'])).stdout, /"manager":"millrace-webhook"/);
  });

  it('goes on while a new authority is told', async () => {
    const [before] = await shown();
    // Whoever has lost the key makes another authority.
    const by = { fieldManager: 'test' };
    await cluster().kube.patchMerge('Secret', secretName, namespace, { data: { 'ca.key': null } }, by);
    await eventually(async () => (await bundle()).length === 2);
    equal((await shown())[0], before);
    await eventually(() => isAsked());
  });

  it('is exchanged at two thirds of its life on the same port, and is then of the new authority', async () => {
    const [before] = await shown();
    const [, next] = await bundle();
    move(20 * day + 60_000);
    await eventually(async () => (await shown()).every((each) => each !== before));
    const [first, second] = await shown();
    equal(first, second);
    ok(await isAsked());
    move(3_700_000);
    // With another bundle the API server connects anew: it believes the new authority, and knows no other.
    await eventually(async () => (await bundle()).join() === next);
    await eventually(() => isAsked());
  });
});
