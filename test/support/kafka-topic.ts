/**
 * Makes a topic and waits until it can be used. The client's own wait gives up when the broker that it asks does not know
 * the new topic yet, which happens on a busy machine.
 */
import type { Admin, ITopicConfig } from 'kafkajs';
import { eventually } from './eventually.ts';

export async function createTopic(admin: Admin, topic: ITopicConfig): Promise<void> {
  await admin.createTopics({ topics: [topic], waitForLeaders: false });
  await eventually(async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic.topic] });
    const partitions = topics.flatMap((found) => found.partitions);
    return partitions.length > 0 && partitions.every(({ leader }) => leader !== -1);
  });
}
