/** JSON lines on stdout, each with pipeline, stage and pod. */
import { pino, type Logger } from 'pino';
import type { Plan } from '../../model/plan.ts';
import type { PodConfig } from './config.ts';

/** Fields that a connector's options may carry: never written, whoever logs an options object by mistake. */
const secretFields = ['password', 'token', 'secret', 'sasl', 'key', 'authorization', 'passphrase'];

export function podLog(config: PodConfig, plan: Plan): Logger {
  return pino({
    level: config.logLevel,
    base: {
      pipeline: plan.pipeline.name,
      namespace: plan.pipeline.namespace,
      stage: config.stage,
      pod: config.podName,
    },
    redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '(hidden)' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
