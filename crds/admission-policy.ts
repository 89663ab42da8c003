/**
 * Rules of lint that the API server can check by itself, and that the CRD does not have: in a ValidatingAdmissionPolicy.
 *
 * A rule of the CRD holds for everything that is stored, at every write, also of a status. The ones here bound texts with
 * units and combine fields far apart, and may become stricter with a version: they are looked at only when the spec
 * changes, as the webhook does, and only for a value that is not as it was.
 *
 * V1  Each rule is one of lint, in the same words (`./limits.ts`, `./rules.ts`): a test asks both about the same specs.
 */
import { stringify } from 'yaml';
import { group, plural, version } from '../model/names.ts';

export interface PolicyRule {
  /** Where the values are that it is about, below the spec. */
  readonly about: readonly string[];
  /** Over `spec`. */
  readonly rule: string;
  readonly message: string;
}

const bytesAtMost = (value: string, most: string) => `quantity(${value}).compareTo(quantity('${most}')) <= 0`;
/** Go knows the units that a spec may have. */
const lastsAtMost = (value: string, most: string) => `duration(${value}) <= duration('${most}')`;
const eachSink = (rule: string) => `spec.sinks.all(sink, ${rule})`;

export const policyRules: readonly PolicyRule[] = [
  {
    about: ['frame.maxBytes'],
    rule: bytesAtMost('spec.frame.maxBytes', '4Mi'),
    message: 'spec.frame.maxBytes: must be at most 4Mi',
  },
  {
    about: ['frame.linger'],
    rule: lastsAtMost('spec.frame.linger', '60s'),
    message: 'spec.frame.linger: must be at most 60s',
  },
  {
    about: ['buffer', 'frame.maxBytes'],
    rule: 'quantity(spec.buffer.maxBytes).sub(quantity(spec.frame.maxBytes)).compareTo(quantity(spec.frame.maxBytes)) >= 0',
    message: 'spec.buffer.maxBytes: must be at least twice spec.frame.maxBytes',
  },
  {
    about: ['resources'],
    rule: 'quantity(spec.resources.requests.memory).compareTo(quantity(spec.resources.limits.memory)) <= 0',
    message: 'spec.resources.requests.memory: must be at most spec.resources.limits.memory',
  },
  {
    about: ['resources'],
    rule: '!has(spec.resources.limits.cpu) || quantity(spec.resources.requests.cpu).compareTo(quantity(spec.resources.limits.cpu)) <= 0',
    message: 'spec.resources.requests.cpu: must be at most spec.resources.limits.cpu',
  },
  {
    about: ['sinks'],
    rule: eachSink(bytesAtMost('sink.batch.maxBytes', '256Mi')),
    message: 'spec.sinks[*].batch.maxBytes: must be at most 256Mi',
  },
  {
    about: ['sinks'],
    rule: eachSink(lastsAtMost('sink.batch.maxDelay', '10m')),
    message: 'spec.sinks[*].batch.maxDelay: must be at most 10m',
  },
  {
    about: ['sinks'],
    rule: eachSink(
      "!has(sink.tombstones) || sink.tombstones != 'Delete' || (has(sink.postgres) && has(sink.postgres.upsertKey) && sink.postgres.upsertKey.size() > 0)",
    ),
    message: 'spec.sinks[*].tombstones: must not be Delete without postgres and its upsertKey',
  },
];

/** Both have a name; the chart puts that of the release in its place. */
export function admissionPolicyYaml(): string {
  const name = 'millrace-pipelines';
  return [policy(name), binding(name)].map((object) => stringify(object, { lineWidth: 0 })).join('---\n');
}

function policy(name: string) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [
          { apiGroups: [group], apiVersions: [version], operations: ['CREATE', 'UPDATE'], resources: [plural] },
        ],
      },
      matchConditions: [
        { name: 'is-not-being-deleted', expression: '!has(object.metadata.deletionTimestamp)' },
        {
          name: 'has-another-spec',
          expression: 'oldObject == null || object.metadata.generation != oldObject.metadata.generation',
        },
      ],
      variables: [{ name: 'spec', expression: 'object.spec' }],
      validations: policyRules.map(({ about, rule, message }) => ({
        expression: `${isAsItWas(about)} || ${expanded(rule)}`,
        message,
        reason: 'Invalid',
      })),
    },
  };
}

function binding(name: string) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  };
}

/** What an older version has stored may be paused and deleted, whatever the rules are today. */
function isAsItWas(about: readonly string[]): string {
  const same = about.map((path) => `object.spec.${path} == oldObject.spec.${path}`);
  return `(oldObject != null && ${same.join(' && ')})`;
}

function expanded(rule: string): string {
  return `(${rule.replaceAll(/\bspec\./g, 'variables.spec.')})`;
}
