import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clickhouseSinkSpec } from '../../../connectors/clickhouse/spec.ts';
import { httpSourceSpec } from '../../../connectors/http/spec.ts';
import { kafkaSourceSpec } from '../../../connectors/kafka/spec.ts';
import { postgresSinkSpec } from '../../../connectors/postgres/spec.ts';
import { MillraceError } from '../../../model/errors.ts';
import type { Json } from '../../../model/value.ts';
import { readConfig } from '../../../workers/pod/credentials.ts';
import { Secrets } from '../../../workers/pod/secrets.ts';

interface Parser {
  parse(config: unknown): unknown;
}

describe('credentials in the pod', () => {
  let directory: string;

  before(() => (directory = mkdtempSync(join(tmpdir(), 'millrace-credentials-'))));
  after(() => rmSync(directory, { recursive: true }));

  function read(schema: Parser, config: Json, values: Readonly<Record<string, string>>): unknown {
    for (const [key, value] of Object.entries(values)) writeFileSync(join(directory, `secret.db.${key}`), value);
    const parse = (resolved: unknown) => schema.parse(resolved);
    return readConfig({ config, where: 'sink warehouse', namespace: 'shop', directory, secrets: new Secrets(), parse });
  }

  function fault(schema: Parser, config: Json, values: Readonly<Record<string, string>>): MillraceError {
    try {
      read(schema, config, values);
    } catch (error) {
      assert.ok(error instanceof MillraceError, String(error));
      return error;
    }
    throw new Error('it was accepted');
  }

  const clickhouse = { url: 'http://ch:8123', table: 'orders' };
  const kafka = { brokers: ['kafka:9092'], topic: 'orders' };

  it('resolves what is well', () => {
    const config = { ...clickhouse, password: '$(secret:db/password)' };
    const resolved = read(clickhouseSinkSpec, config, { password: 'hunter2' });
    assert.partialDeepStrictEqual(resolved, { password: 'hunter2' });
  });

  const rows: [title: string, schema: Parser, config: Json, value: string, sentence: RegExp][] = [
    [
      'an empty password',
      clickhouseSinkSpec,
      { ...clickhouse, password: '$(secret:db/key)' },
      '',
      /^Key "key" of Secret "db" in namespace "shop", used for password of sink warehouse, is empty\./,
    ],
    [
      'a URL that is none',
      clickhouseSinkSpec,
      { ...clickhouse, url: '$(secret:db/key)' },
      'ht!tp:/nonsense hunter2',
      /^Key "key" of Secret "db" .* used for url of sink warehouse, .*http/,
    ],
    [
      'a URL of another protocol',
      clickhouseSinkSpec,
      { ...clickhouse, url: '$(secret:db/key)' },
      'tcp://hunter2:9000',
      /used for url of sink warehouse, .*http/,
    ],
    [
      'a value that is too long',
      postgresSinkSpec,
      { host: 'pg', table: 'orders', password: '$(secret:db/key)' },
      'hunter2'.repeat(1_000),
      /has more than 4096 characters\./,
    ],
    [
      'a value of a nested field',
      kafkaSourceSpec,
      { ...kafka, sasl: { mechanism: 'Plain', username: 'app', password: '$(secret:db/key)' } },
      '',
      /used for sasl\.password of sink warehouse, is empty\./,
    ],
    [
      'a value in a list',
      kafkaSourceSpec,
      { ...kafka, brokers: ['$(secret:db/key)'] },
      '',
      /used for brokers\.0 of sink warehouse/,
    ],
  ];
  for (const [title, schema, config, value, sentence] of rows) {
    it(`V1: names the credential behind ${title}, and repeats nothing of it`, () => {
      const error = fault(schema, config, { key: value });
      assert.equal(error.code, 'MR_CREDENTIAL_UNUSABLE');
      assert.match(error.sentence, sentence);
      const told = `${error.message} ${JSON.stringify(error)} ${String(error.cause)}`;
      assert.doesNotMatch(told, /hunter2|origin|too_small|invalid_/);
    });
  }

  const ends: readonly [field: string, schema: Parser, config: Json][] = [
    ['password', clickhouseSinkSpec, { ...clickhouse, password: '$(secret:db/key)' }],
    ['username', clickhouseSinkSpec, { ...clickhouse, username: '$(secret:db/key)' }],
    ['url', clickhouseSinkSpec, { ...clickhouse, url: 'http://$(secret:db/key):8123' }],
    ['host', postgresSinkSpec, { host: '$(secret:db/key)', table: 'orders' }],
    ['brokers.0', kafkaSourceSpec, { ...kafka, brokers: ['$(secret:db/key)'] }],
    ['auth.token', httpSourceSpec, { auth: { token: '$(secret:db/key)' } }],
  ];
  for (const [field, schema, config] of ends) {
    it(`V2: refuses a line break at the end of ${field}`, () => {
      for (const end of ['\n', '\r\n', '\r', '\n\n']) {
        const error = fault(schema, config, { key: `hunter2${end}` });
        assert.equal(error.code, 'MR_CREDENTIAL_UNUSABLE');
        assert.match(error.sentence, new RegExp(`"key" of Secret "db" .* used for ${field} of sink .*echo -n`));
        assert.doesNotMatch(error.message, /hunter2/);
      }
    });
  }

  it('V2: certificates in PEM, and line breaks within, are as they were', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
    for (const key of [pem, `${pem}\n`, 'two\nlines']) {
      const config = { ...clickhouse, password: '$(secret:db/key)' };
      assert.partialDeepStrictEqual(read(clickhouseSinkSpec, config, { key }), { password: key });
    }
  });

  it('a spec that another version let through is not blamed on a credential', () => {
    const error = fault(clickhouseSinkSpec, { ...clickhouse, table: '' }, {});
    assert.equal(error.code, 'MR_SPEC_INVALID');
    assert.match(error.sentence, /^sink warehouse: table: is empty\./);
  });
});
