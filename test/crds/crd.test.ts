import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { pipelineCrdYaml, pipelineObjectSchema } from '../../crds/crd.ts';
import { immutable } from '../../schema/fields.ts';
import { structuralSchema, type SchemaNode } from '../../crds/crd-schema.ts';

const run = promisify(execFile);

/** Every node of the schema below `spec` and `status`, with its path. */
function nodes(
  path: string,
  node: SchemaNode,
  isItem = false,
): readonly { path: string; node: SchemaNode; isItem: boolean }[] {
  return [
    { path, node, isItem },
    ...Object.entries(node.properties ?? {}).flatMap(([name, member]) => nodes(`${path}.${name}`, member)),
    ...(node.items === undefined ? [] : nodes(`${path}[]`, node.items, true)),
    ...(node.additionalProperties === undefined ? [] : nodes(`${path}{}`, node.additionalProperties, true)),
  ];
}

describe('the schema of the CRD', () => {
  const { properties = {} } = pipelineObjectSchema();
  const all = ['spec', 'status'].flatMap((name) => nodes(name, properties[name]!));

  it('describes every field, so that kubectl explain is a manual', () => {
    // The items of a list of plain values have no place of their own in `kubectl explain`.
    const bare = all.filter(({ node, isItem }) => !node.description && !(isItem && node.properties === undefined));
    deepEqual(
      bare.map(({ path }) => path),
      [],
    );
  });

  it('bounds every field, so that the cost of its rules is known', () => {
    const isBounded = ({ type, ...node }: SchemaNode) => {
      if (type === 'string') return node.maxLength !== undefined || node.enum !== undefined;
      if (type === 'array') return node.maxItems !== undefined;
      if (type === 'integer' || type === 'number') return node.minimum !== undefined;
      return type === 'boolean' || node.properties !== undefined || node.maxProperties !== undefined;
    };
    deepEqual(
      all.filter(({ node }) => !isBounded(node)).map(({ path }) => path),
      [],
    );
  });

  it('has a type at every node', () => {
    deepEqual(
      all.filter(({ node }) => node.type === undefined).map(({ path }) => path),
      [],
    );
  });

  it('merges every list of named things by name', () => {
    const named = all.filter(
      ({ node }) => node.items?.properties?.['name'] !== undefined && node.items.required?.includes('name') === true,
    );
    ok(named.length >= 3);
    for (const { path, node } of named) {
      if (path.includes('createTable.columns')) continue; // Their order is their meaning.
      equal(node['x-kubernetes-list-type'], 'map', path);
    }
  });

  it('fills no default into a list that is owned as a whole: a second tool with the same file would conflict', () => {
    const hasDefault = (node: SchemaNode): boolean =>
      node.default !== undefined ||
      [...Object.values(node.properties ?? {}), ...(node.items === undefined ? [] : [node.items])].some(hasDefault);
    const owned = all.filter(
      ({ node }) => node.items !== undefined && node['x-kubernetes-list-type'] !== 'map' && hasDefault(node.items),
    );
    deepEqual(
      owned.map(({ path }) => path),
      [],
    );
  });

  it('takes certificates and keys as long as a Secret can hold', () => {
    const pem = all.filter(({ path }) => /\.tls\.(ca|cert|key)$/.test(path));
    ok(pem.length >= 5);
    deepEqual(
      pem.filter(({ node }) => node.maxLength !== 1_048_576).map(({ path }) => path),
      [],
    );
  });

  it('stays far below the size that kubectl apply can annotate', () => {
    ok(pipelineCrdYaml().length < 200_000);
  });

  it('takes a rule along that a connector puts on its field', () => {
    const schema = structuralSchema(z.object({ topic: immutable(z.string().describe('The topic.'), 'topic') }));
    deepEqual(schema.properties?.['topic'], {
      type: 'string',
      description: 'The topic.',
      'x-kubernetes-validations': [
        { rule: 'self == oldSelf', message: 'topic must not change; give a source of another name' },
      ],
    });
  });

  it('cannot be made of what a CRD cannot express', () => {
    throws(
      () => structuralSchema(z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])),
      /cannot have "anyOf"/,
    );
    throws(() => structuralSchema(z.object({ a: z.string().regex(/^(?!x)/) })), /no look-around/);
  });
});

describe('generated files', () => {
  it('are up to date', async () => {
    const script = fileURLToPath(new URL('../../scripts/generate.ts', import.meta.url));
    await run(process.execPath, [script, '--check']);
  });
});
