/** What Millrace needs of Temporal: a frontend that answers, and the namespace. */
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { mr, problemOf } from '../../model/errors.ts';
import type { Check } from './check.ts';

export interface TemporalWanted {
  readonly address: string;
  readonly namespace: string;
}

const connectTimeout = '10s';
const answerMs = 10_000;
/** Of gRPC: NOT_FOUND. */
const notFound = 5;

export function temporalCheck({ address, namespace }: TemporalWanted): Check {
  return {
    name: 'Temporal',
    async look() {
      const connection = await Connection.connect({ address, connectTimeout }).catch((error: unknown) => {
        throw mr('MR_TEMPORAL_UNAVAILABLE', { address, problem: problemOf(error) }, { cause: error });
      });
      try {
        const { serverVersion } = await connection.workflowService.getSystemInfo({});
        await connection.withDeadline(Date.now() + answerMs, () =>
          connection.workflowService.describeNamespace({ namespace }),
        );
        return `${serverVersion} at ${address}, namespace "${namespace}"`;
      } catch (error) {
        const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
        if (code === notFound) throw mr('MR_TEMPORAL_NAMESPACE_MISSING', { address, namespace }, { cause: error });
        throw mr('MR_TEMPORAL_UNAVAILABLE', { address, problem: problemOf(error) }, { cause: error });
      } finally {
        await connection.close();
      }
    },
  };
}
