/** Validates parameters, query and headers by the route's schemas; the route itself validates the body. */
import type { FastifySchemaCompiler } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import type { $ZodType } from 'zod/v4/core';

export const exceptBody: FastifySchemaCompiler<$ZodType> = ({ schema, method, url, httpPart }) =>
  httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler({ schema, method, url });
