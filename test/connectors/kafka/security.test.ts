import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { MillraceError } from '../../../model/errors.ts';
import { sourceContext, undecided } from '../source-context.ts';
import { source } from '../../../connectors/kafka/index.ts';
import { kafkaSourceSpec } from '../../../connectors/kafka/spec.ts';
import { KafkaForTests, take } from './harness.ts';

const password = 'correct-horse-battery';

describe('kafka source with TLS and SASL', function () {
  let kafka: KafkaForTests;
  before(async () => {
    kafka = await KafkaForTests.start({
      listeners: [{ protocol: 'SASL_PLAINTEXT' }, { protocol: 'SSL' }, { protocol: 'SASL_SSL' }],
      users: [{ username: 'app', password }],
    });
    await kafka.createTopic('secured');
    await kafka.send('secured', 0, ['one']);
  });
  after(() => kafka.stop());

  async function firstValue(spec: Record<string, unknown>): Promise<string | null | undefined> {
    const opened = await kafka.connect('secured', spec);
    try {
      return (await take(await opened.open(0, undefined, undecided), 1)).records[0]?.value;
    } finally {
      await opened.close();
    }
  }

  for (const mechanism of ['Plain', 'ScramSha256', 'ScramSha512']) {
    it(`logs in by ${mechanism}, and says so when the password is wrong`, async () => {
      const brokers = [kafka.kafka.listeners.SASL_PLAINTEXT];
      assert.equal(await firstValue({ brokers, sasl: { mechanism, username: 'app', password } }), 'one');
      const wrong = { mechanism, username: 'app', password: 'wrong' };
      await assert.rejects(firstValue({ brokers, sasl: wrong }), { code: 'MR_SOURCE_AUTH_REJECTED' });
    });
  }

  it('trusts the certificate authority of the spec, and no other', async () => {
    const brokers = [kafka.kafka.listeners.SSL];
    assert.equal(await firstValue({ brokers, tls: { ca: kafka.kafka.caPem } }), 'one');
    await assert.rejects(firstValue({ brokers, tls: {} }), { code: 'MR_SOURCE_UNREACHABLE' });
    assert.equal(await firstValue({ brokers, tls: { insecureSkipVerify: true } }), 'one');
  });

  it('speaks TLS and SASL together', async () => {
    const spec = {
      brokers: [kafka.kafka.listeners.SASL_SSL],
      tls: { ca: kafka.kafka.caPem },
      sasl: { username: 'app', password },
    };
    assert.equal(await firstValue(spec), 'one');
  });

  it('writes no password to the log, in no message and at no level', async () => {
    let logged = '';
    const lines = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged += chunk.toString();
        done();
      },
    });
    const log = pino({ level: 'trace' }, lines);
    for (const secret of [password, 'wrong-but-secret']) {
      const brokers = [kafka.kafka.listeners.SASL_PLAINTEXT];
      const config = kafkaSourceSpec.parse({ brokers, topic: 'secured', sasl: { username: 'app', password: secret } });
      try {
        const opened = await source.connect(config, sourceContext({ log }));
        await take(await opened.open(0, undefined, undecided), 1);
        await opened.close();
      } catch (error) {
        assert.ok(error instanceof MillraceError);
        logged += `${error.sentence} ${JSON.stringify(error)}`;
      }
      assert.ok(logged.length > 0);
      assert.equal(logged.includes(secret), false);
    }
  });
});
