import assert from 'node:assert/strict';
import fc from 'fast-check';
import { foreignness } from '../../model/request-origin.ts';

type Headers = readonly (readonly [name: string, value: string])[];

const on = (localAddress: string | undefined, headers: Headers, hosts: readonly string[] = []) =>
  foreignness({ rawHeaders: headers.flat(), socket: { localAddress } }, hosts);
const local = (headers: Headers) => on('127.0.0.1', headers);
const host = (name: string): Headers => [['Host', name]];
const page = (origin: string): Headers => [...host('127.0.0.1:8088'), ['Origin', origin]];
const site = (value: string): Headers => [...host('127.0.0.1:8088'), ['Sec-Fetch-Site', value]];

const welcome: readonly (readonly [what: string, problem: string | undefined])[] = [
  ['a program that names the address', local(host('127.0.0.1:8088'))],
  ['a program that names no port', local(host('127.0.0.1'))],
  ['localhost', local(host('localhost:8088'))],
  ['localhost in capitals, as a person may type it', local(host('LocalHost:8088'))],
  ['another port of loopback, as kubectl port-forward makes it', local(host('localhost:19999'))],
  ['another loopback address', on('127.3.2.1', host('127.3.2.1:8088'))],
  ['IPv6 loopback', on('::1', host('[::1]:8088'))],
  ['IPv4 that came in on a socket for both', on('::ffff:127.0.0.1', host('127.0.0.1:8088'))],
  ['a Unix socket', on(undefined, host('localhost'))],
  ['the address on which the request came in', on('10.1.2.3', host('10.1.2.3:8088'))],
  ['the same on a socket for IPv4 and IPv6', on('::ffff:10.1.2.3', host('10.1.2.3:8088'))],
  ['a name that the operator lists', on('10.1.2.3', host('Millrace-API.shop.svc:8088'), ['millrace-api.shop.svc'])],
  ['a page of this origin', local(page('http://127.0.0.1:8088'))],
  [
    'a page of this origin behind a proxy with TLS',
    on('10.1.2.3', [...host('api.shop'), ['Origin', 'https://api.shop']], ['api.shop']),
  ],
  ['a browser that says same-origin', local(site('same-origin'))],
  ['an address that a person typed', local(site('none'))],
];

const refused: readonly (readonly [what: string, problem: string | undefined])[] = [
  ['no Host', local([])],
  ['two Hosts, the second foreign', local([...host('127.0.0.1:8088'), ...host('evil.example')])],
  ['two Hosts, the first foreign', local([...host('evil.example'), ...host('127.0.0.1:8088')])],
  ...[
    [
      '',
      'evil.example',
      'evil.example:8088',
      '127.0.0.1.evil.example',
      'localhost.evil.example:8088',
      'evil.localhost',
    ],
    ['localhost.', '127.evil.example', '0.0.0.0:8088', '[::]:8088', '10.0.0.1:8088', '[::ffff:10.0.0.1]:8088', '1.1'],
    [
      'user@127.0.0.1:8088',
      '127.0.0.1:8088@evil.example',
      '127.0.0.1:8088/x',
      '127.0.0.1:8088 evil',
      '127.0.0.1, evil',
    ],
    ['127.0.0.1:port', '127.0.0.1:123456', '::1', '[::1', '[evil.example]', '0x7f.1:8088', '2130706433', '127.1:8088'],
  ]
    .flat()
    .map((name) => [`Host ${JSON.stringify(name)}`, local(host(name))] as const),
  ['loopback said on an address of the network', on('10.1.2.3', host('127.0.0.1:8088'))],
  ['localhost said on an address of the network', on('10.1.2.3', host('localhost:8088'))],
  ['another address than the one it came in on', on('10.1.2.3', host('10.1.2.4:8088'))],
  ['a name that nobody lists', on('10.1.2.3', host('millrace-api'))],
  ...[
    ['null', 'http://evil.example', 'http://127.0.0.1', 'http://127.0.0.1:3000', 'http://localhost:8088', 'file://'],
    [
      'https://127.0.0.1',
      'http://127.0.0.1:8088.evil.example',
      'http://127.0.0.1:8088@evil.example',
      'chrome-extension://x',
    ],
    ['http://127.0.0.1:8088, http://evil.example', '', 'evil', '127.0.0.1:8088', 'ws://127.0.0.1:8088'],
  ]
    .flat()
    .map((origin) => [`a page of ${JSON.stringify(origin)}`, local(page(origin))] as const),
  ['two Origins, one of them foreign', local([...page('http://127.0.0.1:8088'), ['origin', 'http://evil.example']])],
  [
    'a page whose name was rebound',
    local([...host('evil.example:8088'), ['Origin', 'http://evil.example:8088'], ['Sec-Fetch-Site', 'same-origin']]),
  ],
  ...['cross-site', 'same-site', 'SAME-ORIGIN', '', 'same-origin, cross-site', 'x'].map(
    (value) => [`Sec-Fetch-Site ${JSON.stringify(value)}`, local(site(value))] as const,
  ),
];

describe('where a request comes from', () => {
  for (const [what, problem] of welcome) it(`is fine: ${what}`, () => assert.equal(problem, undefined));
  for (const [what, problem] of refused) it(`is foreign: ${what}`, () => assert.ok(problem));

  it('O1: no name that DNS can be asked for is taken on loopback, but localhost', () => {
    fc.assert(
      fc.property(fc.domain(), fc.option(fc.nat(65_535)), (name, port) => {
        assert.ok(local(host(port === null ? name : `${name}:${port}`)));
      }),
    );
  });

  it('O2: no page of another host is taken, however its address is written', () => {
    fc.assert(
      fc.property(fc.webUrl({ size: 'small' }), (url) => assert.ok(local(page(url)))),
      { numRuns: 30 },
    );
  });

  it('a refusal fits on one line and is short, whatever was sent', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2_000 }), fc.string({ maxLength: 2_000 }), (name, origin) => {
        for (const problem of [local(host(name)), local(page(origin))]) {
          if (problem === undefined) continue;
          assert.ok(problem.length < 800 && !problem.includes('\n'), problem);
        }
      }),
    );
  });
});
