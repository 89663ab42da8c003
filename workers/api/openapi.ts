/** The OpenAPI document: made from the schemas that check the requests, and from the resource's own. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { version as resourceVersion } from '../../model/names.ts';
import { components } from './schemas.ts';

const description = `Pipelines (${resourceVersion}) by REST.

Writing is a server-side apply of the Pipeline resource: what kubectl, GitOps and this API do lands in one place. A change
is stored, answered with 202 and its operation, and carried out by a Temporal workflow. Repeating a PUT changes nothing,
so an Idempotency-Key is accepted there and has no effect; for records it matters.

What cannot be done is answered with a problem (RFC 9457); \`code\` is a row of the error table and \`type\` explains it.

How callers show who they are is said by \`/v1/auth\`. With the modes \`kubernetes\` and \`oidc\` each may do what its roles in
Kubernetes allow, on \`pipelines.millrace.io\` and \`pipelines/records\`, and Kubernetes sees who it was. With \`token\` (\`millrace dev\` makes
one, the file \`api-token\` beside the kubeconfig) whoever shows it may do everything. Web pages of other origins are refused.`;

/** zod keeps descriptions in its global registry, and the converter looks in ours only. */
const config: NonNullable<Parameters<typeof createJsonSchemaTransform>[0]['zodToJsonConfig']> = {
  override: ({ zodSchema, jsonSchema }) => {
    const text = z.globalRegistry.get(zodSchema)?.description;
    if (text !== undefined && jsonSchema.$ref === undefined) jsonSchema.description ??= text;
  },
};

const nameComponents = createJsonSchemaTransformObject({ schemaRegistry: components, zodToJsonConfig: config });

export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Millrace', version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      servers: [
        { url: '/', description: 'Where this document is served.' },
        { url: 'http://127.0.0.1:8088', description: '`millrace dev` and `millrace api`, unless told otherwise.' },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'The token of the caller or of the API, as its mode is.',
          },
          token: {
            type: 'apiKey',
            in: 'header',
            name: 'Millrace-Token',
            description: 'The same, where `Authorization` is for the source that takes the records.',
          },
        },
      },
      security: [{ bearer: [] }, { token: [] }, {}],
      tags: [
        {
          name: 'pipelines',
          description: 'Apply, read, pause, stop, resume, retry, decide about and delete pipelines.',
        },
        { name: 'operations', description: 'What a change does now.' },
        { name: 'records', description: 'Records in.' },
        { name: 'lint', description: 'Check without applying.' },
        { name: 'meta', description: 'About this API.' },
      ],
    },
    transform: createJsonSchemaTransform({ schemaRegistry: components, zodToJsonConfig: config }),
    transformObject: (document) => withoutUnused(nameComponents(document)),
  };
}

/** Each schema has two names, for input and output, of which mostly one is used. */
function withoutUnused<T extends object>(document: T): T {
  const text = JSON.stringify(document);
  const { components: parts } = named.parse(document);
  const schemas = Object.fromEntries(
    Object.entries(parts.schemas).filter(([name]) => text.includes(`"#/components/schemas/${name}"`)),
  );
  return { ...document, components: { ...parts, schemas } };
}

const named = z.looseObject({ components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }) });
