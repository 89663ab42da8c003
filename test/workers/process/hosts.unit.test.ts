import assert from 'node:assert/strict';
import { hostsOf } from '../../../workers/process/hosts.ts';

describe('NATS as a condition names it', () => {
  for (const [url, hosts] of [
    ['nats://127.0.0.1:4222', '127.0.0.1:4222'],
    ['nats://app:s3cr@t@a.example:4222, tls://b.example:4222/', 'a.example:4222,b.example:4222'],
    ['token@c.example:4222', 'c.example:4222'],
    ['d.example', 'd.example'],
  ] as const) {
    it(`is ${hosts}, without what lets somebody in`, () => assert.equal(hostsOf(url), hosts));
  }
});
