/** What Millrace needs of NATS, shown by making what it will make: a stream with its copies, and what streams must be able to do. */
import { connect } from '@nats-io/transport-node';
import { jetstreamManager, RetentionPolicy, StorageType, type JetStreamManager } from '@nats-io/jetstream';
import { MillraceError, mr, problemOf } from '../../model/errors.ts';
import { natsTrouble } from '../process/nats-trouble.ts';
import { natsAccess, type NatsAt } from '../process/nats.ts';
import type { Check } from './check.ts';

export interface NatsWanted extends NatsAt {
  readonly streamReplicas: number;
  /** Of the stream that is made and deleted again. */
  readonly name: string;
}

const connectMs = 10_000;

export function natsCheck({ url, accessDir, streamReplicas, name }: NatsWanted): Check {
  return {
    name: 'NATS',
    async look() {
      const servers = url.split(',').map((address) => address.trim());
      const options = { name: 'millrace preflight', timeout: connectMs, reconnect: false };
      const nc = await connect({ servers, ...natsAccess(accessDir), ...options }).catch((error: unknown) => {
        throw natsTrouble(url, error);
      });
      try {
        const jsm = await jetstreamManager(nc).catch((error: unknown) => {
          throw mr('MR_JETSTREAM_MISSING', { server: nc.getServer(), problem: problemOf(error) }, { cause: error });
        });
        await mustHold(jsm, { name, streamReplicas, server: nc.getServer() });
        return `${nc.info?.version ?? 'of unknown version'} at ${nc.getServer()}, ${streamReplicas} of each stream`;
      } finally {
        await nc.close();
      }
    },
  };
}

async function mustHold(
  jsm: JetStreamManager,
  { name, streamReplicas, server }: Pick<NatsWanted, 'name' | 'streamReplicas'> & { readonly server: string },
): Promise<void> {
  try {
    const { config } = await jsm.streams.add({
      ...{ name, subjects: [`${name}.>`], num_replicas: streamReplicas, allow_atomic: true, allow_msg_ttl: true },
      ...{ storage: StorageType.File, retention: RetentionPolicy.Limits, max_bytes: 1024 * 1024 },
    });
    // An old server takes what it does not know, and leaves it out.
    if (config.allow_atomic !== true) throw mr('MR_NATS_TOO_OLD', { server, needed: '2.12' });
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw mr('MR_STREAM_NOT_MADE', { server, copies: streamReplicas, problem: problemOf(error) }, { cause: error });
  } finally {
    await jsm.streams.delete(name).catch(() => false);
  }
}
