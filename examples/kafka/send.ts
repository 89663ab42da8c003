/**
 * Puts each line of its input into a topic, as the value of a record; makes the topic when there is none.
 *
 *   echo '{"id": 1}' | npm run --silent example examples/kafka/send.ts orders
 */
import { createInterface } from 'node:readline';
import { Kafka, logLevel } from 'kafkajs';
// Without it Node warns of a timer of kafkajs.
import '../../connectors/kafka/quiet-timers.ts';

const [topic] = process.argv.slice(2);
if (topic === undefined) throw new TypeError('name a topic');
const brokers = (process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092').split(',');

const messages: { value: string }[] = [];
for await (const value of createInterface({ input: process.stdin })) messages.push({ value });

const kafka = new Kafka({ brokers, logLevel: logLevel.ERROR });
const admin = kafka.admin();
// Idempotent: a request that is repeated, as it is while a new topic finds its leaders, writes nothing twice.
const producer = kafka.producer({ idempotent: true });
await Promise.all([admin.connect(), producer.connect()]);
try {
  const isNew = !(await admin.listTopics()).includes(topic);
  if (isNew) await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
  await producer.send({ topic, messages });
  const sent = messages.length === 1 ? '1 record is' : `${messages.length} records are`;
  process.stdout.write(`${sent} in ${isNew ? 'the new topic ' : ''}${topic}\n`);
} finally {
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}
