/** What /metrics shows of the webhook. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Outcome } from './admission.ts';

export interface Shown {
  /** Milliseconds since 1970; undefined: there is no certificate. */
  readonly expiresAt: number | undefined;
  readonly problem: string | undefined;
}

/** Returns what notes an answer. */
export function webhookMetrics(
  registry: Registry,
  shown: () => Shown,
): (outcome: Outcome | 'failed', seconds: number) => void {
  const registers = [registry];
  const requests = new Counter({
    name: 'millrace_webhook_requests_total',
    help: 'Pipelines that were looked at, by what became of them; passed: there was nothing to check.',
    labelNames: ['outcome'],
    registers,
  });
  const time = new Histogram({
    name: 'millrace_webhook_request_seconds',
    help: 'Time to answer.',
    buckets: [0.005, 0.02, 0.1, 0.5, 2],
    registers,
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read());
      },
    });
  gauge(
    'millrace_webhook_certificate_expiry_timestamp_seconds',
    'When the certificate expires, in seconds since 1970; 0: there is none.',
    () => (shown().expiresAt ?? 0) / 1_000,
  );
  gauge('millrace_webhook_certificate_problem', '1: the certificate cannot be renewed; the log says why.', () =>
    shown().problem === undefined ? 0 : 1,
  );
  return (outcome, seconds) => {
    requests.inc({ outcome });
    time.observe(seconds);
  };
}
