/** The chart where Millrace keeps to some namespaces: its roles, and who is told. What the roles are enough for is shown by test/workers/lifecycle/watch-namespaces.test.ts. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { stringify } from 'yaml';
import { z } from 'zod';
import { controlProcesses } from '../../model/rights.ts';
import { namespace, render, type Rendered, type Values } from './support/helm.ts';

const watching: Values = ['profile=lab', 'rbac.aggregate=false', `watchNamespaces={shop,${namespace},shop}`];

const role = z.looseObject({
  rules: z.array(
    z.looseObject({
      resources: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
      verbs: z.array(z.string()),
    }),
  ),
});
const isOfWebhook = ({ metadata }: Rendered) => metadata.name.endsWith('-webhook');
const placesOf = (objects: readonly Rendered[], wanted: string) =>
  objects
    .filter(({ kind }) => kind === wanted)
    .map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)
    .sort();

describe('the chart with watchNamespaces', () => {
  let objects: readonly Rendered[];
  before(async () => {
    objects = await render(watching);
  });

  it('has next to nothing in ClusterRoles', () => {
    const all = objects.filter(({ kind }) => kind === 'ClusterRole');
    const [ofWebhook, clusterRoles] = [all.filter(isOfWebhook), all.filter((one) => !isOfWebhook(one))];
    // Of one object, by its name.
    deepEqual(
      ofWebhook.flatMap((one) =>
        role.parse(one).rules.map(({ resources, resourceNames }) => [resources, resourceNames]),
      ),
      [[['validatingwebhookconfigurations'], ['millrace-webhook']]],
    );
    deepEqual(
      clusterRoles.map(({ metadata }) => metadata.name),
      [`${namespace}:millrace-controller`, `${namespace}:millrace-lifecycle`],
    );
    for (const one of clusterRoles) {
      const [rule, ...further] = role.parse(one).rules;
      deepEqual([rule?.resources, rule?.verbs, further], [['namespaces'], ['get'], []]);
    }
  });

  it('has a Role for each process in each namespace once, also where Millrace itself is', () => {
    const ofPipelines = ['shop', namespace].flatMap((at) =>
      controlProcesses.map((name) => `${at}/millrace-${name}-pipelines`),
    );
    const own = [`${namespace}/millrace-controller`, `${namespace}/millrace-webhook`];
    deepEqual(placesOf(objects, 'Role'), [...ofPipelines, ...own].sort());
    deepEqual(placesOf(objects, 'RoleBinding'), placesOf(objects, 'Role'));
  });

  it('asks the webhook about pipelines in these namespaces only', () => {
    const asked = objects.filter(({ kind }) => kind === 'ValidatingWebhookConfiguration');
    equal(asked.length, 1);
    match(stringify(asked), /operator: In\n\s+values:\n\s+- shop\n\s+- millrace-system\n/);
  });

  it('tells every process, what looks whether all is in order, and what runs before it is uninstalled', () => {
    const told = objects.filter(
      ({ kind, metadata }) =>
        ['Deployment', 'Pod'].includes(kind) || (kind === 'Job' && metadata.name === 'millrace-uninstall'),
    );
    equal(told.length, 7);
    for (const one of told) match(stringify(one), /name: MILLRACE_WATCH_NAMESPACES\n\s+value: shop,millrace-system\n/);
  });

  it('tells nobody where all namespaces are watched', async () => {
    equal(stringify(await render(['profile=lab'])).includes('MILLRACE_WATCH_NAMESPACES'), false);
  });
});
