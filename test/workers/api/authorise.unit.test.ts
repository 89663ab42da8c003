import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { z } from 'zod';
import { networkError } from '../../../kubernetes/kube-error.ts';
import { askedOf } from '../../../kubernetes/asked.ts';
import type { KubeRequest, KubeTransport } from '../../../kubernetes/transport.ts';
import type { Caller } from '../../../model/caller.ts';
import { MillraceError } from '../../../model/errors.ts';
import { allowedForMs, authoriser, deniedForMs } from '../../../workers/api/identity/authorise.ts';
import { kubernetesCallers, reviewedForMs } from '../../../workers/api/identity/kubernetes.ts';

const jane: Caller = { name: 'oidc:jane', groups: ['oidc:shop'], extra: {} };
const asked = z.object({ body: z.looseObject({ spec: z.looseObject({}) }) });
const placed = z.looseObject({ resourceAttributes: z.looseObject({ namespace: z.string() }) });
const at = { namespace: 'shop', name: 'orders' };

describe('what Kubernetes says of a caller', () => {
  let now: number;
  let answer: object | undefined;
  let specs: object[];
  beforeEach(() => {
    now = 0;
    specs = [];
    answer = { allowed: true };
  });

  const transport: KubeTransport = {
    server: 'fake',
    async send(request: KubeRequest) {
      specs.push(asked.parse(request).body.spec);
      if (answer === undefined) throw networkError(new Error('ECONNREFUSED'), askedOf(request), request.what, 'fake');
      return { kind: request.what.replace('create ', ''), status: answer };
    },
    open: () => Promise.reject(new Error('nothing is opened')),
    close: () => undefined,
  };
  const authoriserOf = (onlyIn?: readonly string[], roles?: string) =>
    authoriser({ transport: { ...transport, onlyIn }, roles, now: () => now });

  it('Z2: holds for some seconds if it is yes, and for fewer if it is no', async () => {
    const authorise = authoriserOf();
    await authorise(jane, 'get', at);
    answer = { allowed: false };
    now = allowedForMs - 1;
    await authorise(jane, 'get', at);
    now = allowedForMs + 1;
    await rejects(authorise(jane, 'get', at), { code: 'MR_CALLER_FORBIDDEN' });
    answer = { allowed: true };
    now += deniedForMs - 1;
    await rejects(authorise(jane, 'get', at), { code: 'MR_CALLER_FORBIDDEN' });
    now += 2;
    await authorise(jane, 'get', at);
    equal(specs.length, 3);
  });

  it('Z2: ends in time also where Kubernetes was slow to say it', async () => {
    const slow: KubeTransport = {
      ...transport,
      send: (request) => {
        now += allowedForMs;
        return transport.send(request);
      },
    };
    const authorise = authoriser({ transport: slow, roles: undefined, now: () => now });
    await authorise(jane, 'patch', at);
    answer = { allowed: false };
    await rejects(authorise(jane, 'patch', at), { code: 'MR_CALLER_FORBIDDEN' });
  });

  it('is charged where Kubernetes is asked, and where it is no', async () => {
    const authorise = authoriserOf();
    let charged = 0;
    const charge = () => {
      charged++;
    };
    const ask = (name: string) => authorise(jane, 'create records', { ...at, name }, charge);
    await ask('orders');
    await ask('orders');
    equal(charged, 1);
    answer = { allowed: false };
    for (let count = 2; count <= 4; count++) {
      await rejects(ask('theirs'), { code: 'MR_CALLER_FORBIDDEN' });
      equal(charged, count);
    }
    const tooMuch = new Error('too much');
    const refuse = () => {
      throw tooMuch;
    };
    await rejects(authorise(jane, 'create records', { ...at, name: 'other' }, refuse), tooMuch);
    equal(specs.length, 2);
  });

  it('is asked for each caller, each group, each act and each place', async () => {
    const authorise = authoriserOf();
    const others = [
      { ...jane, name: 'oidc:joe' },
      { ...jane, groups: [] },
      { ...jane, extra: { scopes: ['view'] } },
    ];
    for (const caller of [jane, ...others, jane]) await authorise(caller, 'get', at);
    for (const need of ['patch', 'create records', 'get metrics'] as const) await authorise(jane, need, at);
    await authorise(jane, 'get', { ...at, name: 'other' });
    await authorise(jane, 'get', { ...at, namespace: 'other' });
    equal(specs.length, 4 + 3 + 2);
    deepEqual(specs[0], {
      ...{ user: 'oidc:jane', groups: ['oidc:shop'], extra: {}, uid: undefined },
      resourceAttributes: {
        group: 'millrace.io',
        resource: 'pipelines',
        verb: 'get',
        namespace: 'shop',
        name: 'orders',
      },
    });
  });

  it('is asked in each namespace for a list of all, where only some are watched', async () => {
    await authoriserOf(['shop', 'bank'])(jane, 'list', {});
    deepEqual(
      specs.map((spec) => placed.parse(spec).resourceAttributes.namespace),
      ['shop', 'bank'],
    );
  });

  it('is no yes while it does not answer, and is not remembered then', async () => {
    answer = undefined;
    const authorise = authoriserOf();
    for (let count = 0; count < 2; count++) {
      await rejects(authorise(jane, 'get', at), { code: 'MR_IDENTITY_UNKNOWN', http: 503 });
    }
    equal(specs.length, 2);
    for (const unclear of [{}, { allowed: true, denied: true }, { allowed: 'yes' }]) {
      answer = unclear;
      await rejects(authoriserOf()(jane, 'get', at), MillraceError);
    }
  });

  it('is followed by a command that helps, and that does what it says when it is copied', async () => {
    answer = { allowed: false };
    const hintFor = async (name: string, namespace = 'shop', roles?: string): Promise<string> => {
      const refusal: unknown = await authoriserOf(undefined, roles)({ ...jane, name }, 'patch', {
        namespace,
        name: 'orders',
      }).then(
        () => undefined,
        (error: unknown) => error,
      );
      ok(refusal instanceof MillraceError);
      return refusal.fix;
    };
    match(
      await hintFor('oidc:jane'),
      /kubectl -n shop create rolebinding BINDING --clusterrole=edit --user=oidc:jane$/,
    );
    match(await hintFor('oidc:jane', 'shop', 'sys:mr'), /--clusterrole=sys:mr:edit --user=oidc:jane$/);
    match(await hintFor('system:serviceaccount:ci:bot'), /--serviceaccount=ci:bot$/);
    for (const name of ["x'; rm -rf ~; '", 'a b', '$(reboot)', '`reboot`', 'a\\b', '山']) {
      match(await hintFor(name), /--user=USER$/, name);
    }
    match(await hintFor('jane', 'a;reboot'), /kubectl -n NAMESPACE create/);
  });

  it('of a token holds for some seconds, and is kept by its digest', async () => {
    const user = { username: 'jane', uid: 'u', groups: ['a'], extra: { k: ['v'] } };
    answer = { authenticated: true, user };
    const callers = kubernetesCallers({ transport, audiences: [], now: () => now });
    const look = () => callers.authenticate('secret-token');
    deepEqual(await Promise.all([look(), look()]), [
      { name: 'jane', uid: 'u', groups: ['a'], extra: { k: ['v'] } },
      { name: 'jane', uid: 'u', groups: ['a'], extra: { k: ['v'] } },
    ]);
    equal(specs.length, 1);
    answer = { authenticated: false };
    now = reviewedForMs - 1;
    await look();
    now = reviewedForMs + 1;
    await rejects(look(), { code: 'MR_NOT_AUTHENTICATED' });
  });

  it('of a token is nothing without an audience of ours, where one is asked for', async () => {
    const user = { username: 'jane' };
    const callers = kubernetesCallers({ transport, audiences: ['millrace'], now: () => now });
    for (const [index, audiences] of [undefined, [], ['https://kubernetes.default.svc']].entries()) {
      answer = { authenticated: true, user, audiences };
      await rejects(callers.authenticate(`token-${index}`), { code: 'MR_NOT_AUTHENTICATED' });
    }
    answer = { authenticated: true, user, audiences: ['millrace'] };
    equal((await callers.authenticate('token')).name, 'jane');
  });

  it('of a token is not believed where the name would be another one in a header', async () => {
    const callers = kubernetesCallers({ transport, audiences: [], now: () => now });
    for (const [index, username] of ['', 'jane ', 'a\r\nImpersonate-Group: system:masters'].entries()) {
      answer = { authenticated: true, user: { username } };
      await rejects(callers.authenticate(`token-${index}`), { code: 'MR_NOT_AUTHENTICATED' });
    }
  });
});
