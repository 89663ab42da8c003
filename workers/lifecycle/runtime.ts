/** The Temporal SDK's native part: one a process, so whoever needs it first installs it for all. */
import { DefaultLogger, MetricsBuffer, Runtime, type LogEntry } from '@temporalio/worker';
import type { Logger } from 'pino';
import { SdkMetrics } from './sdk-metrics.ts';

let installed: SdkMetrics | undefined;

/** Once a process, before anything of the SDK is used: its log and its metrics go where ours go. */
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
      // While Temporal is away its client tells of every attempt of every poller; readiness and the controller say it once.
      logging: { forward: {}, filter: 'error,temporalio_sdk_core=warn' },
    },
  });
  return (installed = new SdkMetrics(buffer));
}
