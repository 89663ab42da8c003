/** The native part of the Temporal SDK: one per process, installed by the first user. */
import { DefaultLogger, MetricsBuffer, Runtime, type LogEntry } from '@temporalio/worker';
import type { Logger } from 'pino';
import { SdkMetrics } from './sdk-metrics.ts';

let installed: SdkMetrics | undefined;

/** Call it once per process, before the SDK is used: redirects the SDK's log and metrics to ours. */
export function installRuntime(log: Logger): SdkMetrics {
  if (installed !== undefined) return installed;
  const buffer = new MetricsBuffer({ useSecondsForDurations: true });
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }: LogEntry) => {
      const fields: Record<string, unknown> = { ...meta };
      fields['err'] = fields['error'];
      delete fields['error'];
      if (level === 'ERROR') log.error(fields, message);
      else log.warn(fields, message);
    }),
    shutdownSignals: [],
    telemetryOptions: {
      metrics: { buffer },
      // While Temporal is unreachable the SDK logs each attempt of each poller; readiness and the controller report it
      // once.
      logging: { forward: {}, filter: 'error,temporalio_sdk_core=warn' },
    },
  });
  return (installed = new SdkMetrics(buffer));
}
