/** The CustomResourceDefinition of Pipeline, rendered from the schema. Written to `crds/` by scripts/generate.ts. */
import { stringify } from 'yaml';
import { objectRules, withRules } from './crd-rules.ts';
import { structuralSchema, type SchemaNode } from './crd-schema.ts';
import { apiVersion, group, kind, plural, version } from '../model/names.ts';
import { specSchema } from './pipeline.ts';
import { statusSchema } from './status.ts';

const crdName = `${plural}.${group}`;
export const shortName = 'mrp';
const category = 'millrace';

const ready = '.status.conditions[?(@.type=="Ready")]';

const printerColumns = [
  { name: 'READY', type: 'string', jsonPath: `${ready}.status`, description: 'Whether it does what is wanted.' },
  { name: 'STATE', type: 'string', jsonPath: `${ready}.reason`, description: 'What it does, or why it does not.' },
  {
    name: 'DEADLETTERS',
    type: 'integer',
    jsonPath: '.status.deadLetters.records',
    description: 'Records that could not be processed.',
  },
  { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When it was made.' },
  { name: 'SOURCE', type: 'string', jsonPath: '.spec.sources[0].name', description: 'First source.', priority: 1 },
  { name: 'SINK', type: 'string', jsonPath: '.spec.sinks[0].name', description: 'First sink.', priority: 1 },
  { name: 'GENERATION', type: 'integer', jsonPath: '.metadata.generation', description: 'Of the spec.', priority: 1 },
  {
    name: 'MESSAGE',
    type: 'string',
    jsonPath: `${ready}.message`,
    description: 'The state in a sentence.',
    priority: 1,
  },
] as const;

/** The schema of the whole object. */
export function pipelineObjectSchema(): SchemaNode {
  return {
    type: 'object',
    description: 'A pipeline moves records from sources through steps to sinks.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: `Version of this resource: ${apiVersion}.` },
      kind: { type: 'string', description: `Kind of this resource: ${kind}.` },
      metadata: { type: 'object' },
      spec: withRules(structuralSchema(specSchema)),
      status: structuralSchema(statusSchema),
    },
    'x-kubernetes-validations': objectRules,
  };
}

function pipelineCrd() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: crdName, labels: { 'app.kubernetes.io/part-of': 'millrace' } },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: [category],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: pipelineObjectSchema() },
          subresources: { status: {} },
          additionalPrinterColumns: printerColumns,
        },
      ],
    },
  };
}

/** The text of the checked-in file. */
export function pipelineCrdYaml(): string {
  return `# Generated from crds/pipeline.ts by \`npm run generate\`. Do not edit.\n${stringify(pipelineCrd(), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  })}`;
}
