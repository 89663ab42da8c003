/** What may stand in the body of a pipeline, and in that of a lint: each is understood or refused, and none is changed. */
import assert from 'node:assert/strict';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { z } from 'zod';
import { problemSchema } from '../../../client/wire.ts';
import { apiVersion, kind as pipelineKind } from '../../../model/names.ts';
import { spec } from './cluster.ts';
import { withUnreachableCluster } from './unreachable.ts';
import type { Api } from '../../../workers/api/api.ts';

const pipeline = { apiVersion, kind: pipelineKind, metadata: { name: 'orders' }, spec };
const json = JSON.stringify(pipeline);
const yaml = `# one\n${json}\n`;
const withTable = (text: string) => json.replace('"table":"orders"', `"table":"${text}"`);
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
  /** Left out: as `put`. */
  readonly lint?: Answer;
}

const isNoUtf8: Answer = ['MR_REQUEST_INVALID', /^body:\d+:\d+: is not UTF-8\./];
const isUtf16: Answer = ['MR_REQUEST_INVALID', /^body:1:1: is not UTF-8 but probably UTF-16/];
const isNoObject: Answer = ['MR_REQUEST_INVALID', /must be an object with `spec`/];
const isEmpty: Answer = ['issue', /there is no pipeline in body/];
const isTwice: Answer = ['MR_REQUEST_INVALID', /^body:\d+:\d+: a field occurs twice/];
const isTwiceIssue: Answer = ['issue', /a field occurs twice/];
const isDeep: Answer = ['MR_REQUEST_INVALID', /nested (too deep|deeper than 256)/];
const isDeepIssue: Answer = ['issue', /nested (too deep|deeper than 256)/];
const isHalf: Answer = ['MR_SPEC_REFUSED', /has half of a surrogate pair/];
const isHalfIssue: Answer = ['issue', /has half of a surrogate pair/];
const notTaken = (says: RegExp): Answer => ['MR_MEDIA_TYPE', says];

const rows: readonly Row[] = [
  { what: 'YAML', payload: yaml, headers: asYaml, put: null },
  { what: 'JSON', payload: json, headers: asJson, put: null },
  { what: 'text', payload: yaml, headers: { 'content-type': 'text/plain' }, put: null },
  { what: 'UTF-8 said', payload: yaml, headers: inCharset('UTF-8'), put: null },
  { what: 'UTF-8 said in quotes', payload: yaml, headers: inCharset('"utf-8"'), put: null },
  { what: 'a byte order mark before YAML', payload: `\ufeff${yaml}`, headers: asYaml, put: null },
  { what: 'a byte order mark before JSON', payload: `\ufeff${json}`, headers: asJson, put: null },
  { what: 'a replacement character that was written', payload: withTable('a\ufffd'), headers: asJson, put: null },
  { what: 'a surrogate pair in escapes', payload: withTable('a\\ud83d\\ude00'), headers: asJson, put: null },
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
    put: isNoUtf8,
  },
  {
    what: 'an encoding that is not known',
    payload: yaml,
    headers: packed('br'),
    put: notTaken(/The body is encoded as "br", but must be one of gzip, deflate, zstd\./),
  },
  { what: 'UTF-16 with its mark', payload: Buffer.from(`\ufeff${yaml}`, 'utf16le'), headers: asYaml, put: isUtf16 },
  { what: 'UTF-16 without a mark', payload: Buffer.from(json, 'utf16le'), headers: asJson, put: isUtf16 },
  {
    what: 'big-endian UTF-16',
    payload: Buffer.from(`\ufeff${yaml}`, 'utf16le').swap16(),
    headers: asYaml,
    put: isUtf16,
  },
  {
    what: 'another character set',
    payload: Buffer.from(`${yaml}# ä`, 'latin1'),
    headers: inCharset('iso-8859-1'),
    put: notTaken(/in the character set "iso-8859-1", but must be one of utf-8\./),
  },
  { what: 'Latin-1 in a value', payload: Buffer.from(withTable('ä'), 'latin1'), headers: asJson, put: isNoUtf8 },
  { what: 'Latin-1 in a comment', payload: Buffer.from(`# ä\n${json}`, 'latin1'), headers: asYaml, put: isNoUtf8 },
  {
    what: 'half of a character at the end',
    payload: Buffer.concat([Buffer.from(yaml), Buffer.from('# ä').subarray(0, 3)]),
    headers: asYaml,
    put: isNoUtf8,
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
    put: isHalf,
    lint: isHalfIssue,
  },
  {
    what: 'half a pair in an escape of YAML',
    payload: withTable('a\\udc00'),
    headers: asYaml,
    put: isHalf,
    lint: isHalfIssue,
  },
  {
    what: 'half a pair in a name',
    payload: withLabels('{"\\ud83d":"a"}'),
    headers: asJson,
    put: isHalf,
    lint: isHalfIssue,
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
    put: isNoObject,
    lint: ['MR_REQUEST_INVALID', /^body: is required/],
  },
  { what: 'an empty body of JSON', payload: '', headers: asJson, put: isNoObject, lint: isEmpty },
  { what: 'an empty body of YAML', payload: '', headers: asYaml, put: isNoObject, lint: isEmpty },
  { what: 'spaces', payload: ' \n', headers: asYaml, put: isNoObject, lint: isEmpty },
  { what: 'a comment', payload: '# nothing', headers: asYaml, put: isNoObject, lint: isEmpty },
  { what: 'a byte order mark alone', payload: '\ufeff', headers: asYaml, put: isNoObject, lint: isEmpty },
  {
    what: 'a field twice',
    payload: withLabels('{"a":"1","a":"2"}'),
    headers: asJson,
    put: isTwice,
    lint: isTwiceIssue,
  },
  {
    what: 'a field twice by an escape',
    payload: withLabels('{"a":"1","\\u0061":"2"}'),
    headers: asJson,
    put: isTwice,
    lint: isTwiceIssue,
  },
  {
    what: 'a number and its text as names',
    payload: withLabels('{1: "1", "1": "2"}'),
    headers: asYaml,
    put: isTwice,
    lint: isTwiceIssue,
  },
  {
    what: 'a number in two writings as names',
    payload: `# YAML\n${withLabels('{0x10: "1", 16: "2"}')}`,
    headers: asYaml,
    put: isTwice,
    lint: isTwiceIssue,
  },
  {
    what: 'null and an empty name',
    payload: withLabels('{null: "1", "": "2"}'),
    headers: asYaml,
    put: isTwice,
    lint: isTwiceIssue,
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
    lint: isDeepIssue,
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
    put: ['MR_SPEC_REFUSED', /./],
    lint: ['issue', /./],
  },
  {
    what: 'two documents',
    payload: `${yaml}---\n${json}`,
    headers: asYaml,
    put: ['MR_REQUEST_INVALID', /several documents/],
    lint: null,
  },
  { what: 'JSON nested too deep', payload: lists(300), headers: asJson, put: isDeep, lint: isDeepIssue },
  {
    what: 'brackets nested deeper than the stack',
    payload: lists(20_000),
    headers: asYaml,
    put: isDeep,
    lint: isDeepIssue,
  },
  { what: 'lines nested too deep', payload: levels(300), headers: asYaml, put: isDeep, lint: isDeepIssue },
  {
    what: 'a list nested deeper than the stack',
    payload: '- '.repeat(20_000),
    headers: asYaml,
    put: isDeep,
    lint: isDeepIssue,
  },
  {
    what: 'names nested deeper than the stack',
    payload: '? '.repeat(20_000),
    headers: asYaml,
    put: isDeep,
    lint: isDeepIssue,
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
  let api: Api;

  withUnreachableCluster((made) => void (api = made));

  for (const { what, payload, headers, put, lint = put } of rows) {
    it(`${what} is ${put === null ? 'understood' : `refused: ${put[1]}`}`, async () => {
      const body = payload === undefined ? {} : { payload };
      const applied = await api.inject({
        method: 'PUT',
        url: '/v1/namespaces/shop/pipelines/orders',
        headers,
        ...body,
      });
      const { code, detail } = problemSchema.parse(applied.json());
      // What is understood goes to Kubernetes, which does not answer here.
      assert.equal(code, put?.[0] ?? 'MR_KUBERNETES_UNAVAILABLE', applied.body);
      if (put !== null) assert.match(detail, put[1]);

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
