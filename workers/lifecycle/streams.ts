/** The connection to NATS of a lifecycle process. Only some steps need it: these fail, visibly, while there is none. */
import type { Logger } from 'pino';
import { connectStreams, type NatsAccess, type Streams } from '../../stream/connection.ts';
import { ensureSharedStreams } from '../../stream/streams.ts';
import { natsTrouble, tellingNatsTrouble } from '../process/nats-trouble.ts';

export interface StreamsWanted {
  readonly url: string;
  readonly access: NatsAccess;
  readonly streamReplicas: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface KeptStreams {
  /** Throws what keeps it from being connected. */
  current(): Streams;
  close(): Promise<void>;
}

export function keepStreams({ url, access, streamReplicas, log, signal }: StreamsWanted): KeptStreams {
  let streams: Streams | undefined;
  let closed = false;
  let trouble = new Error('there is no connection yet');
  const tell = tellingNatsTrouble(url, log);
  const onTrouble = (error: Error) => {
    trouble = error;
    tell(error);
  };
  connectStreams({ url, name: 'millrace lifecycle', access, signal, onTrouble }).then(
    async (connected) => {
      if (closed) return connected.nc.close();
      streams = connected;
      await ensureSharedStreams(connected, { replicas: streamReplicas }).catch((error: unknown) => {
        // Every provisioning creates them again if they are missing.
        log.warn({ err: error }, 'the shared streams could not be made');
      });
    },
    (error: unknown) => {
      if (!signal.aborted) log.error({ err: error }, 'NATS cannot be connected');
    },
  );
  return {
    current() {
      if (streams === undefined) throw natsTrouble(url, trouble);
      return streams;
    },
    async close() {
      closed = true;
      await streams?.nc.close();
    },
  };
}
