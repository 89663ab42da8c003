import type { StreamInfo } from '@nats-io/jetstream';
import { isStreamNotFound } from './jetstream-errors.ts';
import type { JetStreamPort } from './jetstream-port.ts';

/** Undefined: there is no stream of this name. */
export async function findStream(streams: JetStreamPort, name: string): Promise<StreamInfo | undefined> {
  try {
    return await streams.streamInfo(name);
  } catch (error) {
    if (isStreamNotFound(error)) return undefined;
    throw error;
  }
}
