/** A nats-server in operator mode, and connections to it as one user or another. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { inboxOf } from '../../../model/names.ts';
import type { Plan } from '../../../model/plan.ts';
import type { Streams } from '../../../stream/connection.ts';
import { natsPort } from '../../../stream/nats-port.ts';
import { permissionsOf } from '../../../stream/permissions.ts';
import { makeIdentity, makeUser, type Rights } from '../../../workers/nats-identity/identity.ts';
import { startTestServer } from './server.ts';

export interface GuardedServer {
  /** As the control plane, which may do everything. */
  connect(): Promise<Streams>;
  /** As the pods of a pipeline. */
  connectAsPods(plan: Plan): Promise<Streams>;
  /** Under these permissions, with an inbox below this prefix. */
  connectAs(name: string, permissions: Rights, inboxPrefix: string): Promise<Streams>;
  /** kill -9, then start again: what is in memory is lost. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startGuardedServer(): Promise<GuardedServer> {
  const { serverConfig, seeds, accountId, controlPlane } = await makeIdentity();
  const server = await startTestServer({ extra: serverConfig });
  const connections: Streams[] = [];
  const open = async (creds: string, inboxPrefix: string) => {
    const streams = await connectWith(server.url, creds, inboxPrefix);
    connections.push(streams);
    return streams;
  };
  const connectAs: GuardedServer['connectAs'] = async (name, permissions, inboxPrefix) =>
    open(await makeUser({ accountSeed: seeds.signing, accountId, name, permissions }), inboxPrefix);
  return {
    connect: () => open(controlPlane, '_INBOX'),
    connectAs,
    connectAsPods(plan) {
      const { pid } = plan.pipeline;
      return connectAs(pid, permissionsOf(plan), inboxOf(pid));
    },
    async restart() {
      await server.crash();
      await server.start();
    },
    async stop() {
      await Promise.all(connections.map(({ nc }) => nc.close()));
      await server.stop();
    },
  };
}

/** As `connectStreams` does it. */
async function connectWith(url: string, creds: string, inboxPrefix: string): Promise<Streams> {
  const nc = await connect({
    servers: url,
    inboxPrefix,
    authenticator: credsAuthenticator(Buffer.from(creds)),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  });
  const timeout = 1_000;
  const js = jetstream(nc, { timeout });
  const jsm = await jetstreamManager(nc, { timeout, checkAPI: false });
  const link = {
    get connected() {
      return !nc.isClosed();
    },
    onReconnect: () => () => undefined,
  };
  return Object.assign(natsPort(nc, js, jsm, link, inboxPrefix), { nc, js, jsm });
}
