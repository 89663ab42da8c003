import type { Streams } from '../../../stream/connection.ts';
import type { JetStreamPort } from '../../../stream/jetstream-port.ts';

/** Of a process that ends after so many writes. */
export function cutAfter(streams: Streams, writes: number): JetStreamPort {
  let left = writes;
  const cut = () => Promise.reject(new Error('cut'));
  return Object.assign(Object.create(streams) as Streams, {
    publish: (...write: Parameters<Streams['publish']>) => (left-- > 0 ? streams.publish(...write) : cut()),
    purgeStream: (...purge: Parameters<Streams['purgeStream']>) => (left-- > 0 ? streams.purgeStream(...purge) : cut()),
  });
}
