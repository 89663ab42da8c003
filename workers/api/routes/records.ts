/** `POST …/{name}/records[/{source}]`: records into an http source. */
import type { FastifyContextConfig } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { Readable } from 'node:stream';
import type { Kube } from '../../../kubernetes/kube.ts';
import type { Caller } from '../../../model/caller.ts';
import { ownKey } from '../idempotency-key.ts';
import { exceptBody } from '../validation.ts';
import { forward, forwardedHeaders, returnedHeaders } from '../forward.ts';
import type { PipelineDoor } from '../../../kubernetes/pipelines.ts';
import { recordTargets } from '../record-targets.ts';
import {
  pipelineParams,
  problems,
  recordsBody,
  recordsHeaders,
  recordsParams,
  recordsTaken,
  recordTypes,
} from '../schemas.ts';

interface Options {
  readonly kube: Kube;
  readonly pipelines: PipelineDoor;
}

/** Where records go is looked up in the API's own name: whoever may send them need not see the pipeline or its pods. */
const config: FastifyContextConfig = { needs: ['create records'] };
/** Limits the API only; a source has its own limit (`maxBodyBytes`) and answers 413. */
const maxBodyBytes = 256 * 1024 * 1024;

const schema = {
  tags: ['records'],
  summary: 'Send records to an http source',
  description:
    'The body goes to a ready pod of the source as it is, and the answer of the pod comes back: 202 once the records are stored, 429 with Retry-After when the source waits. With an Idempotency-Key a repeated request is stored once.',
  consumes: recordTypes,
  headers: recordsHeaders,
  body: recordsBody,
  response: {
    202: { description: 'Stored.', content: { 'application/json': { schema: recordsTaken } } },
    ...problems,
  },
};

export const recordRoutes: FastifyPluginCallbackZod<Options> = (server, { kube, pipelines }, done) => {
  const targets = recordTargets(kube, pipelines);
  server.removeAllContentTypeParsers();
  server.setValidatorCompiler(exceptBody);
  server.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));

  const base = '/v1/namespaces/:namespace/pipelines/:name/records';
  server.post(
    base,
    { config, schema: { ...schema, operationId: 'sendRecords', params: pipelineParams }, bodyLimit: maxBodyBytes },
    (request, reply) => send({ ...request.params, source: null }, request, reply),
  );
  server.post(
    `${base}/:source`,
    {
      config,
      schema: { ...schema, operationId: 'sendRecordsToSource', params: recordsParams },
      bodyLimit: maxBodyBytes,
    },
    (request, reply) => send(request.params, request, reply),
  );

  async function send(at: At, request: Incoming, reply: Outgoing): Promise<unknown> {
    const { source, target } = await targets.next(at, () => request.charge());
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    try {
      const headers = forwardedHeaders(request.headers);
      const key = headers['idempotency-key'];
      if (key !== undefined) headers['idempotency-key'] = ownKey(request.caller, key);
      const answer = await forward(target, { name: at.name, source, headers, body });
      return reply
        .code(answer.statusCode ?? 502)
        .headers(returnedHeaders(answer.headers))
        .send(answer);
    } catch (error) {
      targets.forget(at);
      throw error;
    }
  }
  done();
};

interface At {
  readonly namespace: string;
  readonly name: string;
  readonly source: string | null;
}

interface Incoming {
  readonly caller: Caller | null;
  readonly charge: () => void;
  readonly body: unknown;
  readonly headers: NodeJS.Dict<string | string[]>;
}

interface Outgoing {
  code(status: number): Outgoing;
  headers(values: Record<string, string>): Outgoing;
  send(payload: Readable): unknown;
}
