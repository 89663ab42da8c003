/** The one place where errors of Kafka and of its client become errors of Millrace. Names and types, never messages. */
import { z } from 'zod';
import { MillraceError, mr, problemOf } from '../../model/errors.ts';
import type { FailureContext } from '../failure-context.ts';
import { stableText } from '../stable-text.ts';

export interface KafkaFailureContext extends FailureContext {
  readonly source: string;
  readonly topic: string;
}

/** What kafkajs puts on its errors: `type` names the broker's answer, `cause` the error that was retried. */
const kafkaError = z.object({ name: z.string().optional(), type: z.string().optional(), cause: z.unknown() });

export function parseFailure(error: unknown, context: KafkaFailureContext): MillraceError {
  if (error instanceof MillraceError) return error;
  const { source, topic, server, identity } = context;
  const { name, type, cause } = kafkaError.safeParse(error).data ?? {};
  if (name === 'KafkaJSNumberOfRetriesExceeded' && cause !== undefined) return parseFailure(cause, context);
  const problem = stableText(problemOf(error));
  if (name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED') {
    return mr('MR_SOURCE_AUTH_REJECTED', { source, server, ...identity }, { cause: error });
  }
  switch (type) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
    case 'INVALID_TOPIC_EXCEPTION':
      return mr('MR_SOURCE_TOPIC_MISSING', { source, topic, server }, { cause: error });
    case 'TOPIC_AUTHORIZATION_FAILED':
    case 'GROUP_AUTHORIZATION_FAILED':
    case 'CLUSTER_AUTHORIZATION_FAILED':
      return mr('MR_SOURCE_FORBIDDEN', { source, server, user: identity.user, problem }, { cause: error });
    default:
      return mr('MR_SOURCE_UNREACHABLE', { source, server, problem }, { cause: error });
  }
}
