/** The list of rights: exact, without repetition, and enough for what the lifecycle creates. */
import { deepEqual, ok } from 'node:assert/strict';
import { ownedKinds } from '../../activities/kubernetes/owned.ts';
import { kinds } from '../../kubernetes/objects.ts';
import {
  confinedRights,
  controlProcesses,
  identityModes,
  identityRights,
  impersonationModes,
  rights,
  rulesIn,
  rulesOf,
} from '../../model/rights.ts';

/** `apps/deployments get` of everything that a process may do. */
function actsOf(process: (typeof controlProcesses)[number]): string[] {
  return rights[process].flatMap(({ where, group, resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb) => `${where} ${group}/${resource} ${verb}`)),
  );
}

describe('the rights of the control plane', () => {
  for (const process of controlProcesses) {
    it(`of ${process} name groups, resources and verbs, each once`, () => {
      const acts = actsOf(process);
      deepEqual(
        acts.filter((act, index) => acts.indexOf(act) !== index),
        [],
      );
      deepEqual(
        acts.filter((act) => act.includes('*')),
        [],
      );
    });
  }

  it('let the lifecycle make and remove every kind that a pipeline owns, and the controller find what is left of it', () => {
    const lifecycle = actsOf('lifecycle');
    const controller = actsOf('controller');
    for (const owned of [...ownedKinds, 'Namespace'] as const) {
      const { apiVersion, plural, namespaced } = kinds[owned];
      const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
      const at = `${namespaced ? 'pipelines' : 'cluster'} ${group}/${plural}`;
      for (const verb of ['get', 'list', 'create', 'patch', 'delete']) ok(lifecycle.includes(`${at} ${verb}`), owned);
      for (const verb of ['get', 'list']) ok(controller.includes(`${at} ${verb}`), owned);
    }
  });

  it('A4: are next to none outside of the namespaces that Millrace keeps to', () => {
    for (const process of controlProcesses) {
      const needsCluster = process === 'controller' || process === 'lifecycle';
      const left = needsCluster ? [{ apiGroups: [''], resources: ['namespaces'], verbs: ['get'] }] : [];
      deepEqual(rulesOf(process, ['cluster'], confinedRights), left);
      deepEqual(rulesOf(process, ['pipelines', 'own'], confinedRights), rulesOf(process, ['pipelines', 'own']));
    }
  });

  it('of an API that knows its callers are not those to pipelines, and constrained ones none with anything else', () => {
    for (const mode of identityModes) {
      for (const impersonation of impersonationModes) {
        const some = identityRights(mode, impersonation);
        deepEqual(
          some.filter(({ verbs }) => verbs.some((verb) => ['patch', 'delete', '*'].includes(verb))),
          [],
        );
        deepEqual(
          some.some(({ verbs }) => verbs.includes('impersonate')),
          impersonation === 'legacy',
        );
        deepEqual(
          rulesIn(some).some(({ resources }) => resources.includes('tokenreviews')),
          mode === 'kubernetes',
        );
      }
    }
  });

  it('keep rights to cluster-wide objects apart from those that a Role can give', () => {
    deepEqual(rulesOf('api', ['cluster', 'own']), []);
    deepEqual(rulesOf('lifecycle', ['cluster']), [
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list', 'create', 'patch', 'delete'] },
    ]);
  });
});
