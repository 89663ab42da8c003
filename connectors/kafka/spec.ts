/** What a person may say about a Kafka source. Becomes a part of the CRD, of lint and of the reference. */
import { z } from 'zod';
import { bytesField, durationField, immutable, pemText, referenceText } from '../../schema/fields.ts';

const broker = z
  .string()
  .min(3)
  .max(512)
  .regex(/^(.*\$\((secret|configMap):.*|[^ :/,]+:[0-9]{1,5})$/)
  .describe('host:port of a broker. May contain $(secret:NAME/KEY) or $(configMap:NAME/KEY).');

const tls = z
  .strictObject({
    ca: pemText('Certificate authority of the brokers; without it, those of the system.').optional(),
    cert: pemText('Client certificate, for brokers that ask for one.').optional(),
    key: pemText('Private key of the client certificate.').optional(),
    insecureSkipVerify: z
      .boolean()
      .default(false)
      .describe(
        'Accept any certificate of the brokers. Only for trials: it does not protect against someone in the middle.',
      ),
  })
  .describe('Speak TLS with the brokers; `tls: {}` uses the certificate authorities of the system.');

const sasl = z
  .strictObject({
    mechanism: z.enum(['Plain', 'ScramSha256', 'ScramSha512']).default('ScramSha512').describe('How to authenticate.'),
    username: referenceText('User at the brokers.'),
    password: referenceText('Password of the user.'),
  })
  .describe('Authenticate with SASL.');

const fetch = z
  .strictObject({
    maxBytes: bytesField('Most bytes of one partition in one fetch.').default('1Mi'),
    maxInflatedBytes: bytesField(
      'Most bytes of one record batch after decompression. A larger one is not read, and its partition stands still.',
    ).default('64Mi'),
    maxBufferedBytes: bytesField(
      'Most bytes that one pod holds of fetched records, of all its slots together, as the brokers sent them.',
    ).default('32Mi'),
    maxWait: durationField('How long a broker may hold a fetch back when there is nothing to read.').default('500ms'),
  })
  .describe('How records are fetched.');

export const kafkaSourceSpec = z
  .strictObject({
    brokers: z
      .array(broker)
      .min(1)
      .max(32)
      .describe('Some brokers of the cluster, to begin with; the others are found.'),
    topic: immutable(
      z
        .string()
        .min(1)
        .max(249)
        .regex(/^[a-zA-Z0-9._-]+$/)
        .describe('The topic to read. It must exist: Millrace never creates it. Immutable: positions belong to it.'),
      'kafka.topic',
    ),
    startFrom: z
      .enum(['Earliest', 'Latest'])
      .default('Earliest')
      .describe(
        'Where the pipeline begins in partitions that exist when it starts. Later partitions are read from their start. A source that was removed and comes back under its name goes on where it stood.',
      ),
    group: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe(
        'Consumer group under which positions are shown to the usual tools. It has no members and Millrace never reads it. Without it: millrace-<pipeline id>.',
      ),
    tls: tls.optional(),
    sasl: sasl.optional(),
    onPositionLost: z
      .enum(['Stop', 'Earliest', 'Latest'])
      .default('Stop')
      .describe(
        'When the topic no longer has the next record (retention), or was deleted and made again: Stop with SourcePositionLost until you decide, or go on from the Earliest or the Latest.',
      ),
    fetch: fetch.default({ maxBytes: '1Mi', maxInflatedBytes: '64Mi', maxBufferedBytes: '32Mi', maxWait: '500ms' }),
  })
  .describe('Reads a topic of Apache Kafka, exactly once, without joining a consumer group.');

export type KafkaSourceConfig = z.output<typeof kafkaSourceSpec>;
