/** The generated files of the chart: all but its templates. */
import { Document, isMap, isPair, isScalar, stringify, type YAMLMap } from 'yaml';
import { z } from 'zod';
import {
  confinedRights,
  type ControlProcess,
  controlProcesses,
  identityModes,
  identityRights,
  impersonationModes,
  type IdentityMode,
  type ImpersonationMode,
  type RightPlace,
  rulesIn,
  rulesOf,
  webhookRights,
} from '../../model/rights.ts';
import { profileRows, type ProfileName, type ProfileRow } from './profiles.ts';
import { valuesSchema } from './values.ts';

const generatedBy = 'Written by `npm run generate` from deploy/chart/*.ts and model/rights.ts; do not edit.';

export interface Release {
  readonly version: string;
  readonly description: string;
}

export function chartYaml({ version, description }: Release): string {
  return withHeader({
    apiVersion: 'v2',
    name: 'millrace',
    description,
    type: 'application',
    version,
    appVersion: version,
    kubeVersion: '>=1.30.0-0',
    keywords: ['streaming', 'pipelines', 'kafka', 'clickhouse', 'postgresql', 'nats', 'temporal'],
  });
}

/** Every value with its default, and what it means above it. */
export function valuesYaml(): string {
  const document = new Document(valuesSchema.parse({}));
  document.commentBefore = ` ${generatedBy}`;
  if (isMap(document.contents)) explain(document.contents, schemaNode());
  return document.toString({ lineWidth: 0 });
}

export function valuesSchemaJson(): string {
  return `${JSON.stringify(z.toJSONSchema(valuesSchema, { target: 'draft-7', io: 'input' }), undefined, 2)}\n`;
}

/** Every value with its default, for what is null. */
export function defaultsYaml(): string {
  return withHeader(valuesSchema.parse({}));
}

/** By profile and path, for the templates. */
export function profilesYaml(): string {
  const of = (name: ProfileName) => nested(profileRows.map((row) => [row.value, row[name]] as const));
  return withHeader({ lab: of('lab'), production: of('production') });
}

/**
 * By process, and by the role that gives them. `cluster`: everything that is not `own`, where all namespaces are watched.
 * `confined` and `watched`: the same where some are, in a ClusterRole and in a Role of each.
 */
export function rightsYaml(): string {
  const of = (process: ControlProcess) => ({
    cluster: rulesOf(process, ['cluster', 'pipelines']),
    confined: rulesOf(process, ['cluster'], confinedRights),
    watched: rulesOf(process, ['pipelines'], confinedRights),
    own: rulesOf(process, ['own']),
  });
  return withHeader(Object.fromEntries(controlProcesses.map((process) => [process, of(process)])));
}

/** By mode and by how Kubernetes lets the API act as others: what it has in place of its rights in `rightsYaml`. */
export function identityRightsYaml(): string {
  const of = (mode: IdentityMode, impersonation: ImpersonationMode) => {
    const some = identityRights(mode, impersonation);
    return {
      cluster: rulesIn(some),
      confined: rulesIn(some, ['cluster']),
      watched: rulesIn(some, ['pipelines']),
      own: rulesIn(some, ['own']),
    };
  };
  const byImpersonation = (mode: IdentityMode) =>
    Object.fromEntries(impersonationModes.map((impersonation) => [impersonation, of(mode, impersonation)]));
  return withHeader(Object.fromEntries(identityModes.map((mode) => [mode, byImpersonation(mode)])));
}

/** By place; the template names the object. */
export function webhookRightsYaml(): string {
  const of = (place: RightPlace) =>
    webhookRights
      .filter(({ where }) => where === place)
      .map(({ group, resources, verbs }) => ({ apiGroups: [group], resources, verbs }));
  return withHeader({ cluster: of('cluster'), own: of('own') });
}

/** The two tables of the chart's README. */
export function valuesTable(): string {
  const rows = leavesOf(schemaNode()).map(
    ({ path, otherwise, description }) =>
      `| \`${path}\` | ${cell(otherwise)} | ${description.replaceAll('|', '\\|')} |`,
  );
  return ['| value | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

export function profilesTable(): string {
  const row = ({ value, lab, production, why }: ProfileRow) =>
    `| \`${value}\` | ${cell(lab)} | ${cell(production)} | ${why} |`;
  return ['| value | lab | production | why |', '| --- | --- | --- | --- |', ...profileRows.map(row)].join('\n');
}

function cell(value: unknown): string {
  return value === null ? 'by profile' : `\`${JSON.stringify(value)}\``;
}

function withHeader(content: object): string {
  return `# ${generatedBy}\n${stringify(content, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** `a.b` and a value → `{a: {b: value}}`. */
function nested(entries: readonly (readonly [string, unknown])[]): object {
  const document = new Document({});
  for (const [path, value] of entries) document.setIn(path.split('.'), value);
  return z.record(z.string(), z.unknown()).parse(document.toJS());
}

/** The part of JSON Schema that is read here. */
interface Node {
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>> | undefined;
}

const nodeSchema: z.ZodType<Node> = z.looseObject({
  description: z.string().optional(),
  default: z.unknown().optional(),
  properties: z.lazy(() => z.record(z.string(), nodeSchema)).optional(),
});

function schemaNode(): Node {
  return nodeSchema.parse(z.toJSONSchema(valuesSchema, { target: 'draft-7', io: 'input' }));
}

interface Leaf {
  readonly path: string;
  readonly otherwise: unknown;
  readonly description: string;
}

function leavesOf({ properties = {} }: Node, above = ''): readonly Leaf[] {
  return Object.entries(properties).flatMap(([name, node]) => {
    const path = `${above}${name}`;
    if (node.properties !== undefined) return leavesOf(node, `${path}.`);
    return [{ path, otherwise: node.default, description: node.description ?? '' }];
  });
}

function explain(map: YAMLMap, { properties = {} }: Node): void {
  for (const pair of map.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const node = properties[String(pair.key.value)];
    if (node?.description !== undefined) pair.key.commentBefore = ` ${node.description}`;
    if (node?.properties !== undefined && isMap(pair.value)) explain(pair.value, node);
  }
}
