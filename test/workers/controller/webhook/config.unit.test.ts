import { deepEqual, equal, throws } from 'node:assert/strict';
import { parseControllerConfig } from '../../../../workers/controller/config.ts';

const listen = { MILLRACE_WEBHOOK_LISTEN: '127.0.0.1:8443' };
const secret = { MILLRACE_WEBHOOK_CERTIFICATE_SECRET: 's' };
const folder = { MILLRACE_WEBHOOK_CERTIFICATE_DIR: '/certificates' };

describe('the variables of the webhook', () => {
  it('make none without an address', () => equal(parseControllerConfig({ ...secret }).webhook, undefined));

  it('name a folder', () => {
    deepEqual(parseControllerConfig({ ...listen, ...folder }).webhook, {
      listen: { host: '127.0.0.1', port: 8443 },
      path: undefined,
      certificates: { from: 'folder', folder: '/certificates' },
    });
  });

  it('name a Secret for the path, which is that of the certificate where it is ours', () => {
    const beside = { namespace: 'default', configuration: 'millrace-webhook' };
    const pathOf = (env: object) => parseControllerConfig({ ...listen, ...env }).webhook?.path;
    deepEqual(pathOf({ ...folder, MILLRACE_WEBHOOK_PATH_SECRET: 'p' }), { ...beside, secret: 'p' });
    deepEqual(pathOf({ ...secret, MILLRACE_WEBHOOK_HOSTS: 'a' }), { ...beside, secret: 's' });
  });

  it('name a Secret beside Millrace, and the names that a certificate is for', () => {
    const hosts = { MILLRACE_WEBHOOK_HOSTS: 'a.b.svc, a.b', MILLRACE_NAMESPACE: 'millrace-system' };
    deepEqual(parseControllerConfig({ ...listen, ...secret, ...hosts }).webhook?.certificates, {
      from: 'self',
      at: { namespace: 'millrace-system', secret: 's', configuration: 'millrace-webhook', hosts: ['a.b.svc', 'a.b'] },
    });
  });

  for (const [what, env, says] of [
    [
      'neither a folder nor a Secret',
      {},
      /MILLRACE_WEBHOOK_CERTIFICATE_SECRET cannot be used: the webhook needs either/,
    ],
    [
      'both',
      { ...folder, ...secret, MILLRACE_WEBHOOK_HOSTS: 'a' },
      /needs either it or MILLRACE_WEBHOOK_CERTIFICATE_DIR/,
    ],
    ['a Secret and no names', secret, /MILLRACE_WEBHOOK_HOSTS cannot be used: it must name what/],
  ] as const)
    it(`refuse ${what}`, () => {
      throws(() => parseControllerConfig({ ...listen, ...env }), { code: 'MR_ENVIRONMENT_INVALID', message: says });
    });
});
