/** Checks what a route says of its parameters, query and headers, and leaves the body to the route. */
import type { FastifySchemaCompiler } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import type { $ZodType } from 'zod/v4/core';

export const exceptBody: FastifySchemaCompiler<$ZodType> = ({ schema, method, url, httpPart }) =>
  httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler({ schema, method, url });
