/** Names on their way into headers, as a real API server reads them. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { z } from 'zod';
import { impersonation, inTheNameOf } from '../../kubernetes/impersonated.ts';
import { callerFault, type Caller } from '../../model/caller.ts';
import { useCluster } from '../workers/api/cluster.ts';

const review = z.looseObject({
  status: z.looseObject({
    userInfo: z.looseObject({
      username: z.string(),
      uid: z.string().optional(),
      groups: z.array(z.string()),
      extra: z.record(z.string(), z.array(z.string())).optional(),
    }),
  }),
});

const jane: Caller = { name: 'oidc:jane', groups: ['system:authenticated'], extra: {} };

describe('requests in the name of somebody else', function () {
  const cluster = useCluster();

  async function seenAs(caller: Caller, extraKeys: readonly string[] = []) {
    const answer = await inTheNameOf(caller, cluster().kube.transport, extraKeys).send({
      ...{ method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', what: 'ask who I am' },
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
    return review.parse(answer).status.userInfo;
  }

  for (const name of ['oidc:jane', 'Jürgen Müller', '山田', '🙂', 'a, b', 'a:b=c;d"e', 'x'.repeat(1_024)]) {
    it(`P4: arrive as they are: ${name.slice(0, 20)}`, async () => {
      const caller = {
        ...jane,
        name,
        groups: [`group of ${name}`, 'b,c'.slice(0, 3)].map((each) => each.slice(0, 1_024)),
      };
      equal(callerFault(caller), undefined);
      const seen = await seenAs(caller);
      equal(seen.username, name);
      deepEqual(seen.groups, [...caller.groups, 'system:authenticated']);
    });
  }

  it('are of nobody whose name would arrive as another one', async () => {
    for (const name of [
      '',
      ' jane',
      'jane ',
      'ja\nne',
      'ja\rne',
      'ja\u0000ne',
      'ja\u0085ne',
      '\ud800',
      'x'.repeat(1_025),
    ]) {
      ok(callerFault({ ...jane, name }) !== undefined, JSON.stringify(name));
      ok(callerFault({ ...jane, groups: [name] }) !== undefined, JSON.stringify(name));
      ok(callerFault({ ...jane, extra: { key: [name] } }) !== undefined, JSON.stringify(name));
    }
    // What the rule is for: the API server would take the one for the other.
    equal((await seenAs({ ...jane, name: 'oidc:admin ' })).username, 'oidc:admin');
  });

  it('P2: have of a ServiceAccount its name only: nobody chooses its groups', async () => {
    const caller = { ...jane, name: 'system:serviceaccount:shop:ci', uid: 'u', groups: ['system:masters'] };
    deepEqual(Object.keys(impersonation(caller, [])), ['impersonate-user']);
    const seen = await seenAs(caller);
    deepEqual(seen.groups, ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated']);
  });

  it('have of what else is known that which is asked for', async () => {
    const extra = { 'example.org/team': ['a', 'b'], 'example.org/other': ['c'] };
    const seen = await seenAs({ ...jane, uid: 'u-1', extra }, ['example.org/team', 'example.org/none']);
    deepEqual([seen.uid, seen.extra], ['u-1', { 'example.org/team': ['a', 'b'] }]);
  });
});
