/** What may stand in the body of a pipeline, and in that of a lint: each is understood or refused, and none is changed. */
import assert from 'node:assert/strict';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { z } from 'zod';
import { problemSchema } from '../../../client/wire.ts';
import { apiVersion, kind as pipelineKind } from '../../../model/names.ts';
import { spec } from './cluster.ts';
import { apiOn } from './api.ts';
import { OddServer } from '../../activities/odd-server.ts';
import type { Api } from '../../../workers/api/api.ts';

const pipeline = { apiVersion, kind: pipelineKind, metadata: { name: 'orders' }, spec };
const json = JSON.stringify(pipeline);
const yaml = `# one\n${json}\n`;
const withTable = (text: string) => json.replace('"table":"orders"', `"table":"${text}"`);
/** The pipeline as Kubernetes gets it. */
const arriving = (table: string): unknown =>
  JSON.parse(
    json
      .replace('"table":"orders"', `"table":${JSON.stringify(table)}`)
      .replace('"name":"orders"}', '"name":"orders","namespace":"shop"}'),
  );
const withLabels = (labels: string) => json.replace('{"name":"orders"}', `{"name":"orders","labels":${labels}}`);
const lists = (depth: number) => `{"spec":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const levels = (depth: number) => Array.from({ length: depth }, (_, i) => `${' '.repeat(i)}a:`).join('\n');
const aliases = ['a: &a [x,x,x,x,x,x,x,x,x]']
  .concat(
    Array.from('bcdefghi').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
  )
  .join('\n');
const chain = [`a0: &a0 ${'['.repeat(200)}${']'.repeat(200)}`]
  .concat(Array.from({ length: 90 }, (_, i) => `a${i + 1}: &a${i + 1} ${'['.repeat(200)}*a${i}${']'.repeat(200)}`))
  .join('\n');

const asYaml = { 'content-type': 'application/yaml' };
const asJson = { 'content-type': 'application/json' };
const packed = (encoding: string) => ({ ...asYaml, 'content-encoding': encoding });
const inCharset = (charset: string) => ({ 'content-type': `application/yaml; charset=${charset}` });

/** `put`: null when it is understood; else code and part of the detail. `lint`: the same, or `issue` with a message. */
type Answer = readonly [code: string, says: RegExp] | null;
interface Row {
  readonly what: string;
  readonly payload: string | Buffer | undefined;
  readonly headers: Record<string, string>;
  readonly put: Answer;
  /** The name of the sink's table as it arrives at Kubernetes. Default: `orders`. */
  readonly table?: string;
  /** Left out: as `put`. */
  readonly lint?: Answer;
}

const notUtf8: Answer = ['MR_REQUEST_INVALID', /^body:\d+:\d+: is not UTF-8\./];
const utf16: Answer = ['MR_REQUEST_INVALID', /^body:1:1: is not UTF-8 but probably UTF-16/];
const noObject: Answer = ['MR_REQUEST_INVALID', /must be an object with `spec`/];
const empty: Answer = ['issue', /there is no pipeline in body/];
const twice: Answer = ['MR_REQUEST_INVALID', /^body:\d+:\d+: a field occurs twice/];
const twiceIssue: Answer = ['issue', /a field occurs twice/];
const tooDeep: Answer = ['MR_REQUEST_INVALID', /nested (too deep|deeper than 256)/];
const tooDeepIssue: Answer = ['issue', /nested (too deep|deeper than 256)/];
const halfPair: Answer = ['MR_SPEC_REFUSED', /has half of a surrogate pair/];
const halfPairIssue: Answer = ['issue', /has half of a surrogate pair/];
const notTaken = (says: RegExp): Answer => ['MR_MEDIA_TYPE', says];

const rows: readonly Row[] = [
  { what: 'YAML', payload: yaml, headers: asYaml, put: null },
  { what: 'JSON', payload: json, headers: asJson, put: null },
  { what: 'text', payload: yaml, headers: { 'content-type': 'text/plain' }, put: null },
  { what: 'UTF-8 said', payload: yaml, headers: inCharset('UTF-8'), put: null },
  { what: 'UTF-8 said in quotes', payload: yaml, headers: inCharset('"utf-8"'), put: null },
  { what: 'a byte order mark before YAML', payload: `\ufeff${yaml}`, headers: asYaml, put: null },
  { what: 'a byte order mark before JSON', payload: `\ufeff${json}`, headers: asJson, put: null },
  {
    what: 'a replacement character that was written',
    payload: withTable('a\ufffd'),
    headers: asJson,
    put: null,
    table: 'a\ufffd',
  },
  {
    what: 'a surrogate pair in escapes',
    payload: withTable('a\\ud83d\\ude00'),
    headers: asJson,
    put: null,
    table: 'a😀',
  },
  { what: 'gzip', payload: gzipSync(yaml), headers: packed('gzip'), put: null },
  { what: 'deflate', payload: deflateSync(yaml), headers: packed('deflate'), put: null },
  { what: 'zstd', payload: zstdCompressSync(yaml), headers: packed('zstd'), put: null },
  { what: 'two members of gzip', payload: members(yaml), headers: packed('gzip'), put: null },
  { what: 'identity', payload: yaml, headers: packed('identity'), put: null },
  {
    what: 'gzip that is none',
    payload: yaml,
    headers: packed('gzip'),
    put: ['MR_REQUEST_INVALID', /^body: it is not gzip, as its Content-Encoding says/],
  },
  {
    what: 'gzip that is cut off',
    payload: gzipSync(yaml).subarray(0, -9),
    headers: packed('gzip'),
    put: ['MR_REQUEST_INVALID', /^body: it is not gzip/],
  },
  {
    what: 'gzip with bytes behind it',
    payload: Buffer.concat([gzipSync(yaml), Buffer.from('\0more')]),
    headers: packed('gzip'),
    put: ['MR_REQUEST_INVALID', /^body: it is not gzip/],
  },
  {
    what: 'gzip of more than the limit',
    payload: gzipSync('#'.repeat(2 ** 21)),
    headers: packed('gzip'),
    put: ['MR_BODY_TOO_LARGE', /more than 1048576 bytes/],
  },
  {
    what: 'gzip that nobody said',
    payload: gzipSync(yaml),
    headers: asYaml,
    put: notUtf8,
  },
  {
    what: 'an encoding that is not known',
    payload: yaml,
    headers: packed('br'),
    put: notTaken(/The body is encoded as "br", but must be one of gzip, deflate, zstd\./),
  },
  { what: 'UTF-16 with its mark', payload: Buffer.from(`\ufeff${yaml}`, 'utf16le'), headers: asYaml, put: utf16 },
  { what: 'UTF-16 without a mark', payload: Buffer.from(json, 'utf16le'), headers: asJson, put: utf16 },
  {
    what: 'big-endian UTF-16',
    payload: Buffer.from(`\ufeff${yaml}`, 'utf16le').swap16(),
    headers: asYaml,
    put: utf16,
  },
  {
    what: 'another character set',
    payload: Buffer.from(`${yaml}# ä`, 'latin1'),
    headers: inCharset('iso-8859-1'),
    put: notTaken(/in the character set "iso-8859-1", but must be one of utf-8\./),
  },
  { what: 'Latin-1 in a value', payload: Buffer.from(withTable('ä'), 'latin1'), headers: asJson, put: notUtf8 },
  { what: 'Latin-1 in a comment', payload: Buffer.from(`# ä\n${json}`, 'latin1'), headers: asYaml, put: notUtf8 },
  {
    what: 'half of a character at the end',
    payload: Buffer.concat([Buffer.from(yaml), Buffer.from('# ä').subarray(0, 3)]),
    headers: asYaml,
    put: notUtf8,
  },
  {
    what: 'a zero byte',
    payload: withTable('a\0'),
    headers: asYaml,
    put: ['MR_REQUEST_INVALID', /has a zero byte/],
  },
  {
    what: 'half a pair in an escape of JSON',
    payload: withTable('a\\ud83d'),
    headers: asJson,
    put: halfPair,
    lint: halfPairIssue,
  },
  {
    what: 'half a pair in an escape of YAML',
    payload: withTable('a\\udc00'),
    headers: asYaml,
    put: halfPair,
    lint: halfPairIssue,
  },
  {
    what: 'half a pair in a name',
    payload: withLabels('{"\\ud83d":"a"}'),
    headers: asJson,
    put: halfPair,
    lint: halfPairIssue,
  },
  { what: 'no type', payload: yaml, headers: {}, put: notTaken(/of no type/) },
  {
    what: 'another type',
    payload: yaml,
    headers: { 'content-type': 'application/xml' },
    put: notTaken(/"application\/xml"/),
  },
  { what: 'a type that is none', payload: yaml, headers: { 'content-type': ';;' }, put: notTaken(/The body is ";;"/) },
  {
    what: 'YAML said to be JSON',
    payload: yaml,
    headers: asJson,
    put: ['MR_REQUEST_INVALID', /is not JSON/],
    lint: null,
  },
  {
    what: 'nothing',
    payload: undefined,
    headers: {},
    put: noObject,
    lint: ['MR_REQUEST_INVALID', /^body: is required/],
  },
  { what: 'an empty body of JSON', payload: '', headers: asJson, put: noObject, lint: empty },
  { what: 'an empty body of YAML', payload: '', headers: asYaml, put: noObject, lint: empty },
  { what: 'spaces', payload: ' \n', headers: asYaml, put: noObject, lint: empty },
  { what: 'a comment', payload: '# nothing', headers: asYaml, put: noObject, lint: empty },
  { what: 'a byte order mark alone', payload: '\ufeff', headers: asYaml, put: noObject, lint: empty },
  {
    what: 'a field twice',
    payload: withLabels('{"a":"1","a":"2"}'),
    headers: asJson,
    put: twice,
    lint: twiceIssue,
  },
  {
    what: 'a field twice by an escape',
    payload: withLabels('{"a":"1","\\u0061":"2"}'),
    headers: asJson,
    put: twice,
    lint: twiceIssue,
  },
  {
    what: 'a number and its text as names',
    payload: withLabels('{1: "1", "1": "2"}'),
    headers: asYaml,
    put: twice,
    lint: twiceIssue,
  },
  {
    what: 'a number in two writings as names',
    payload: `# YAML\n${withLabels('{0x10: "1", 16: "2"}')}`,
    headers: asYaml,
    put: twice,
    lint: twiceIssue,
  },
  {
    what: 'null and an empty name',
    payload: withLabels('{null: "1", "": "2"}'),
    headers: asYaml,
    put: twice,
    lint: twiceIssue,
  },
  {
    what: 'an alias as a name',
    payload: withLabels('{&x a: "1", *x : "2"}'),
    headers: asYaml,
    put: ['MR_REQUEST_INVALID', /the name of a field must be text/],
    lint: ['issue', /the name of a field must be text/],
  },
  {
    what: 'aliases that grow without bound',
    payload: `${aliases}\n`,
    headers: asYaml,
    put: ['MR_REQUEST_INVALID', /there are too many/],
    lint: ['issue', /there are too many/],
  },
  {
    what: 'aliases that are nested without bound',
    payload: chain,
    headers: asYaml,
    put: ['MR_SPEC_REFUSED', /nested deeper than 256/],
    lint: tooDeepIssue,
  },
  {
    what: 'an alias without an anchor',
    payload: withLabels('*nobody'),
    headers: asYaml,
    put: ['MR_REQUEST_INVALID', /an alias has no anchor/],
    lint: ['issue', /an alias has no anchor/],
  },
  {
    what: 'an alias within its own anchor',
    payload: withLabels('&a {b: *a}'),
    headers: asYaml,
    put: ['MR_SPEC_REFUSED', /contains itself|nested deeper/],
    lint: ['issue', /contains itself|nested deeper/],
  },
  {
    what: 'two documents',
    payload: `${yaml}---\n${json}`,
    headers: asYaml,
    put: ['MR_REQUEST_INVALID', /several documents/],
    lint: null,
  },
  { what: 'JSON nested too deep', payload: lists(300), headers: asJson, put: tooDeep, lint: tooDeepIssue },
  {
    what: 'brackets nested deeper than the stack',
    payload: lists(20_000),
    headers: asYaml,
    put: tooDeep,
    lint: tooDeepIssue,
  },
  { what: 'lines nested too deep', payload: levels(300), headers: asYaml, put: tooDeep, lint: tooDeepIssue },
  {
    what: 'a list nested deeper than the stack',
    payload: '- '.repeat(20_000),
    headers: asYaml,
    put: tooDeep,
    lint: tooDeepIssue,
  },
  {
    what: 'names nested deeper than the stack',
    payload: '? '.repeat(20_000),
    headers: asYaml,
    put: tooDeep,
    lint: tooDeepIssue,
  },
  {
    what: 'a text with an error in every line',
    payload: 'a: "\n'.repeat(5_000),
    headers: asYaml,
    put: ['MR_REQUEST_INVALID', /^body:\d+:\d+: /],
    lint: ['issue', /is not YAML/],
  },
];

function members(text: string): Buffer {
  const half = text.length >> 1;
  return Buffer.concat([gzipSync(text.slice(0, half)), gzipSync(text.slice(half))]);
}

const report = z.object({ valid: z.boolean(), issues: z.array(z.looseObject({ message: z.string() })) });

describe('bodies of the API', () => {
  let server: OddServer;
  let api: Api;

  before(async () => {
    server = await OddServer.start();
    api = await apiOn(server.kube);
  });
  beforeEach(() => {
    server.changes.length = 0;
  });
  after(async () => {
    await api.close();
    await server.stop();
  });

  for (const { what, payload, headers, put, lint = put, table = 'orders' } of rows) {
    it(`${what} is ${put === null ? 'understood' : `refused: ${put[1]}`}`, async () => {
      const body = payload === undefined ? {} : { payload };
      const applied = await api.inject({
        method: 'PUT',
        url: '/v1/namespaces/shop/pipelines/orders',
        headers,
        ...body,
      });
      if (put === null) {
        assert.equal(applied.statusCode, 202, applied.body);
        assert.deepEqual(
          server.changes.map(({ body }): unknown => JSON.parse(body)),
          [arriving(table)],
        );
      } else {
        const { code, detail } = problemSchema.parse(applied.json());
        assert.equal(code, put[0], applied.body);
        assert.match(detail, put[1]);
        assert.deepEqual(server.changes, []);
      }

      const linted = await api.inject({ method: 'POST', url: '/v1/lint', headers, ...body });
      if (lint !== null && lint[0] !== 'issue') {
        const problem = problemSchema.parse(linted.json());
        assert.equal(problem.code, lint[0]);
        assert.match(problem.detail, lint[1]);
        return;
      }
      assert.equal(linted.statusCode, 200, linted.body);
      const { valid, issues } = report.parse(linted.json());
      assert.equal(valid, lint === null, linted.body);
      if (lint !== null)
        assert.ok(
          issues.some(({ message }) => lint[1].test(message)),
          linted.body,
        );
    });
  }
});
