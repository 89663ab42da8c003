import { isStreamNotFound } from './jetstream-errors.ts';

/** Undefined: there is no stream of this name. */
export async function findStream<I>(
  streams: { readonly streamInfo: (stream: string) => Promise<I> },
  name: string,
): Promise<I | undefined> {
  try {
    return await streams.streamInfo(name);
  } catch (error) {
    if (isStreamNotFound(error)) return undefined;
    throw error;
  }
}
