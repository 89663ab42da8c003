/**
 * Rules that involve more than one field, in CEL, checked by the API server itself: R1–R3 of `./rules.ts`, and fields
 * that must not change once set (slots and shards are numbers in subjects and positions; a source's connector gives
 * its positions their meaning).
 */
import type { CelRule, SchemaNode } from './crd-schema.ts';
import { sinkKinds, sourceKinds, stepKinds } from './unions.ts';

/** On the whole object: the name is part of subjects and of namespace names. */
export const objectRules: readonly CelRule[] = [
  {
    rule: "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: 'metadata.name must have at most 40 characters: lower-case letters, digits and "-", a letter first',
  },
];

/** The schema of the spec with its rules. */
export function withRules(spec: SchemaNode): SchemaNode {
  return change(spec, [
    { at: [], rules: [sinkReplicas, otherwiseLast] },
    { at: ['isolation'], rules: [immutable('isolation')] },
    { at: ['buffer', 'shards'], rules: [immutable('buffer.shards')] },
    { at: ['sources', '*'], rules: [exactlyOne(sourceKinds), sourceReplicas, sameSlots, sameConnector] },
    { at: ['steps', '*'], rules: [exactlyOne(stepKinds)] },
    { at: ['sinks', '*'], rules: [exactlyOne(sinkKinds), otherwiseAlone] },
  ]);
}

function exactlyOne(kinds: readonly string[]): CelRule {
  const given = kinds.map((kind) => `has(self.${kind})`).join(', ');
  return {
    rule: `[${given}].filter(given, given).size() == 1`,
    message: `exactly one of ${kinds.join(', ')} must be given`,
    messageExpression: `'exactly one of ${kinds.join(', ')} must be given in "' + self.name + '"'`,
  };
}

const sourceReplicas: CelRule = {
  rule: 'self.replicas <= self.slots',
  message: 'replicas must be at most slots',
  fieldPath: '.replicas',
};

const sinkReplicas: CelRule = {
  rule: 'self.sinks.all(sink, sink.replicas <= self.buffer.shards)',
  message: 'replicas of a sink must be at most buffer.shards',
  fieldPath: '.sinks',
};

const otherwiseAlone: CelRule = {
  rule: '!self.otherwise || !has(self.when)',
  message: '`otherwise` must not stand together with `when`',
  fieldPath: '.otherwise',
  reason: 'FieldValueForbidden',
};

const otherwiseLast: CelRule = {
  rule: 'self.sinks.filter(sink, sink.otherwise).size() == (self.sinks[self.sinks.size() - 1].otherwise ? 1 : 0)',
  message: '`otherwise` must be on the last sink only',
  fieldPath: '.sinks',
};

function immutable(field: string): CelRule {
  return { rule: 'self == oldSelf', message: `${field} must not change; delete the pipeline and make it again` };
}

const sameSlots: CelRule = {
  rule: 'self.slots == oldSelf.slots',
  message:
    'slots must not change; give the source another name, under which it starts from the beginning, or delete the pipeline and make it again',
  fieldPath: '.slots',
};

const sameConnector: CelRule = {
  rule: sourceKinds.map((kind) => `has(self.${kind}) == has(oldSelf.${kind})`).join(' && '),
  message: 'the connector of a source must not change; give a source of another name',
  messageExpression: `'the connector of source "' + self.name + '" must not change; give a source of another name'`,
};

interface Change {
  /** Names of properties; `*` is the items of a list. */
  readonly at: readonly string[];
  readonly rules: readonly CelRule[];
}

function change(schema: SchemaNode, changes: readonly Change[]): SchemaNode {
  return changes.reduce((changed, { at, rules }) => addRules(changed, at, rules), schema);
}

function addRules(schema: SchemaNode, at: readonly string[], rules: readonly CelRule[]): SchemaNode {
  const [first, ...rest] = at;
  if (first === undefined) {
    return { ...schema, 'x-kubernetes-validations': [...(schema['x-kubernetes-validations'] ?? []), ...rules] };
  }
  if (first === '*') {
    if (schema.items === undefined) throw new TypeError(`no list at ${at.join('.')}`);
    return { ...schema, items: addRules(schema.items, rest, rules) };
  }
  const member = schema.properties?.[first];
  if (member === undefined) throw new TypeError(`no property ${first}`);
  return { ...schema, properties: { ...schema.properties, [first]: addRules(member, rest, rules) } };
}
