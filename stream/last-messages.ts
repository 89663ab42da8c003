/** The last message of every subject that a filter matches, in one request. */
import { JetStreamError, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';

/** JetStream answers a filter that matches nothing with status 404. */
const noResults = 404;

export async function readLastOfEach(jsm: JetStreamManager, stream: string, filter: string): Promise<StoredMsg[]> {
  const messages: StoredMsg[] = [];
  try {
    for await (const message of await jsm.direct.getLastMessagesFor(stream, { multi_last: [filter] }))
      messages.push(message);
  } catch (error) {
    if (error instanceof JetStreamError && 'code' in error && error.code === noResults) return [];
    throw error;
  }
  return messages;
}
