/**
 * Requests whose answer is believed only when it is about what was requested: each client of the API asks so.
 *
 * K2  An answer about anything other than what was requested is an error, whatever its status: a proxy, or another
 *     service under the address of the kubeconfig, answers 200 as well.
 */
import { z } from 'zod';
import { askedOf } from './asked.ts';
import { foreignAnswer } from './kube-error.ts';
import type { KubeRequest, KubeTransport } from './transport.ts';

export interface Named {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

interface Answer {
  readonly kind?: string | undefined;
}

interface AnswerWithName extends Answer {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}

export async function ask<T extends Answer>(
  transport: KubeTransport,
  request: KubeRequest,
  schema: z.ZodType<T>,
  isAsked: (answer: T) => boolean,
): Promise<T> {
  const answer = await transport.send(request);
  const parsed = schema.safeParse(answer);
  if (parsed.success && isAsked(parsed.data)) return parsed.data;
  throw foreignAnswer(described(answer), askedOf(request), request.what, transport.server);
}

/** The object of this name. */
export function askObject<T extends AnswerWithName>(
  transport: KubeTransport,
  request: KubeRequest,
  schema: z.ZodType<T>,
  { kind, name, namespace }: Named,
): Promise<T> {
  return ask(transport, request, schema, (answer) => {
    const { metadata } = answer;
    return answer.kind === kind && metadata.name === name && (metadata.namespace ?? namespace) === namespace;
  });
}

const deleted = z.looseObject({
  kind: z.string(),
  status: z.unknown().optional(),
  metadata: z.looseObject({ name: z.string().optional() }).optional(),
  details: z.looseObject({ name: z.string().optional() }).nullish(),
});

/** The API server answers with the object, which may wait for finalizers, or with a Status that it is gone. */
export async function askToDelete(
  transport: KubeTransport,
  request: KubeRequest,
  { kind, name }: Named,
): Promise<void> {
  await ask(transport, request, deleted, (answer) =>
    answer.kind === 'Status'
      ? answer.status === 'Success' && (answer.details?.name ?? name) === name
      : answer.kind === kind && answer.metadata?.name === name,
  );
}

const anything = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string().optional() }).optional(),
});

/** What came instead, for a sentence. Nothing else of it is repeated. */
function described(answer: unknown): string {
  const parsed = anything.safeParse(answer);
  if (!parsed.success) return 'something without kind';
  const { kind, metadata } = parsed.data;
  return `a ${kind}${metadata?.name === undefined ? '' : ` named "${metadata.name}"`}`;
}
