/**
 * A zod schema as the structural schema of a CRD.
 *
 * zod generates OpenAPI 3.0, of which Kubernetes accepts a subset: no `additionalProperties: false` beside
 * `properties` (an unknown field is pruned, or refused with `fieldValidation: Strict`), no `$ref`, no `oneOf`, only
 * patterns that RE2 supports, int64 for integers.
 */
import { z } from 'zod';

/** The part of JSON schema that a CRD uses. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly additionalProperties?: SchemaNode;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly CelRule[];
}

/** A rule in CEL over `self`, and `oldSelf` when it speaks about a change. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
}

const copied = [
  'type',
  'description',
  'default',
  'enum',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
] as const;

/** What zod may generate and a CRD must not contain. */
const dropped = new Set(['id', 'additionalProperties', 'properties', 'items', 'propertyNames']);

const node = z.record(z.string(), z.unknown());
const nodes = z.record(z.string(), node);

export function structuralSchema(schema: z.ZodType): SchemaNode {
  return convert(node.parse(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' })), '');
}

function convert(from: Readonly<Record<string, unknown>>, path: string): SchemaNode {
  for (const key of Object.keys(from)) {
    if (!dropped.has(key) && !copied.some((known) => known === key)) {
      throw new TypeError(`${path || 'the schema'}: a CRD cannot have "${key}"`);
    }
  }
  assertPattern(from['pattern'], path);
  const kept = Object.fromEntries(
    copied.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]] as const])),
  );
  return {
    ...kept,
    ...integerBounds(from),
    ...(from['properties'] === undefined ? {} : { properties: convertAll(nodes.parse(from['properties']), path) }),
    ...(from['items'] === undefined ? {} : { items: convert(node.parse(from['items']), `${path}[]`) }),
    ...(typeof from['additionalProperties'] === 'object'
      ? { additionalProperties: convert(node.parse(from['additionalProperties']), `${path}{}`) }
      : {}),
  };
}

function convertAll(
  properties: Readonly<Record<string, Record<string, unknown>>>,
  path: string,
): Record<string, SchemaNode> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, member]) => [name, convert(member, `${path}.${name}`)]),
  );
}

/** zod bounds every integer by what a double can hold; that bound is meaningless to a person. */
function integerBounds(from: Readonly<Record<string, unknown>>): object {
  if (from['type'] !== 'integer') return {};
  return {
    format: 'int64',
    ...(from['minimum'] === Number.MIN_SAFE_INTEGER ? { minimum: undefined } : {}),
    ...(from['maximum'] === Number.MAX_SAFE_INTEGER ? { maximum: undefined } : {}),
  };
}

function assertPattern(pattern: unknown, path: string): void {
  if (typeof pattern === 'string' && /\(\?[=!<]|\\[1-9]/.test(pattern)) {
    throw new TypeError(`${path}: the API server's patterns have no look-around and no back-references: ${pattern}`);
  }
}
