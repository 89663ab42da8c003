/**
 * JSON lines on stdout, each with pipeline, stage and pod, and none with the value of a Secret (`./secrets.ts`, S1).
 */
import { pino, type Logger } from 'pino';
import type { Plan } from '../../model/plan.ts';
import type { PodConfig } from './config.ts';
import type { Secrets } from './secrets.ts';

/** Fields of connector options that are never written, even if an options object is logged by mistake. */
const secretFields = ['password', 'token', 'secret', 'sasl', 'key', 'authorization', 'passphrase'];

export function podLog(config: PodConfig, plan: Plan, secrets: Secrets): Logger {
  return pino({
    level: config.logLevel,
    base: {
      pipeline: plan.pipeline.name,
      namespace: plan.pipeline.namespace,
      stage: config.stage,
      pod: config.podName,
    },
    redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '(hidden)' },
    hooks: { streamWrite: (line) => secrets.hideInLine(line) },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
