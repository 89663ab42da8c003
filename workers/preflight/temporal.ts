/** What Millrace needs of Temporal: a frontend that answers, and the namespace. */
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { mr, problemOf } from '../../model/errors.ts';
import { temporalConnection, type TemporalAt } from '../process/temporal.ts';
import type { Check } from './check.ts';

const connectTimeout = '10s';
const answerMs = 10_000;
/** Of gRPC: NOT_FOUND. */
const notFound = 5;

export function temporalCheck(at: TemporalAt): Check {
  const { address, namespace } = at;
  return {
    name: 'Temporal',
    async look() {
      const options = { ...temporalConnection(at), connectTimeout };
      const connection = await Connection.connect(options).catch((error: unknown) => {
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
