/** What /metrics shows. Prometheus names; every series carries pipeline, namespace, stage and pod. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Plan } from '../../model/plan.ts';
import type { PodConfig } from './config.ts';

export class PodMetrics {
  readonly registry = new Registry();
  readonly recordsIn = this.#counter('millrace_records_in_total', 'Records taken in.');
  readonly bytesIn = this.#counter('millrace_bytes_in_total', 'Bytes of the records taken in.');
  readonly recordsOut = this.#counter(
    'millrace_records_out_total',
    'Records handed on for certain: stored in the edge, or written to the sink.',
  );
  readonly keysRefused = this.#counter(
    'millrace_keys_refused_total',
    'Requests that were answered 429 because the edge keeps as many Idempotency-Keys as it may.',
  );
  readonly recordsDropped = this.#counter('millrace_records_dropped_total', 'Records that steps or the route dropped.');
  /** The codes are those of the error table: a bounded number of series. */
  readonly deadLetters = new Counter({
    name: 'millrace_dead_letters_total',
    help: 'Records that became dead letters, by the code of the error.',
    labelNames: ['code'],
    registers: [this.registry],
  });
  readonly lettersDropped = this.#counter(
    'millrace_dead_letters_dropped_total',
    'Dead letters that gave way to later ones (`whenFull: DropOldest`).',
  );
  readonly frames = this.#counter('millrace_frames_total', 'Frames stored in the edge.');
  readonly frameBytes = this.#counter('millrace_frame_bytes_total', 'Bytes of the frames stored in the edge.');
  readonly batchRows = this.#counter('millrace_batch_rows_total', 'Rows given to the sink.');
  readonly batchSeconds = new Histogram({
    name: 'millrace_batch_seconds',
    help: 'Time to write one batch, retries included.',
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    registers: [this.registry],
  });
  readonly lag = this.#gauge('millrace_lag', 'What is waiting: records at the source, or frames of the edge.');
  readonly connected = this.#gauge('millrace_connected', '1: connected to the source or sink.');
  readonly natsConnected = this.#gauge('millrace_nats_connected', '1: connected to nats-server.');
  readonly slotOwned = new Gauge({
    name: 'millrace_slot_owned',
    help: '1: this pod owns the slot.',
    labelNames: ['slot'],
    registers: [this.registry],
  });
  readonly waiting = new Gauge({
    name: 'millrace_waiting',
    help: '1: the pod waits for this.',
    labelNames: ['on'],
    registers: [this.registry],
  });

  constructor(config: Pick<PodConfig, 'stage' | 'podName'>, plan: Plan) {
    const { name, namespace } = plan.pipeline;
    this.registry.setDefaultLabels({ pipeline: name, namespace, stage: config.stage, pod: config.podName });
    collectDefaultMetrics({ register: this.registry });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] });
  }
}
