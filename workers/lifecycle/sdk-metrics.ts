/**
 * Metrics of the Temporal SDK and of workflows (`millrace_operations`) as Prometheus text.
 *
 * The SDK can only serve its metrics on a port of its own. So its updates are read from a buffer, at each scrape and
 * every few seconds, which keeps the buffer small when nothing scrapes.
 */
import type { BufferedMetricUpdate, MetricsBuffer } from '@temporalio/worker';

type Kind = BufferedMetricUpdate['metric']['kind'];

/** Seconds: from a fast answer of the API server to a drain. */
const bounds = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];
const drainMs = 5_000;

interface Series {
  value: number;
  /** Of a histogram: the number of observations up to each bound, and of all. */
  readonly buckets: number[];
  count: number;
}

interface Family {
  readonly kind: Kind;
  readonly help: string;
  readonly series: Map<string, Series>;
}

export class SdkMetrics {
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  readonly #buffer: Pick<MetricsBuffer, 'retrieveUpdates'>;
  readonly #families = new Map<string, Family>();
  readonly #timer: NodeJS.Timeout;

  /** `buffer` measures durations in seconds. */
  constructor(buffer: Pick<MetricsBuffer, 'retrieveUpdates'>) {
    this.#buffer = buffer;
    this.#timer = setInterval(() => this.#drain(), drainMs);
    this.#timer.unref();
  }

  metrics(): Promise<string> {
    this.#drain();
    const families = [...this.#families].sort(([a], [b]) => (a < b ? -1 : 1));
    return Promise.resolve(families.map(([name, family]) => render(name, family)).join(''));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #drain(): void {
    for (const { metric, value, attributes } of this.#buffer.retrieveUpdates()) {
      const family = this.#families.get(metric.name) ?? {
        kind: metric.kind,
        help: metric.description ?? '',
        series: new Map<string, Series>(),
      };
      this.#families.set(metric.name, family);
      const labels = labelsOf(attributes);
      const series = family.series.get(labels) ?? { value: 0, buckets: bounds.map(() => 0), count: 0 };
      family.series.set(labels, series);
      add(series, family.kind, value);
    }
  }
}

function add(series: Series, kind: Kind, value: number): void {
  series.value = kind === 'gauge' ? value : series.value + value;
  if (kind !== 'histogram') return;
  series.count += 1;
  for (const [i, bound] of bounds.entries()) if (value <= bound) series.buckets[i] = (series.buckets[i] ?? 0) + 1;
}

function labelsOf(attributes: Readonly<Record<string, unknown>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name.replace(/[^a-zA-Z0-9_]/g, '_')}=${JSON.stringify(String(value))}`)
    .sort()
    .join(',');
}

function render(name: string, { kind, help, series }: Family): string {
  const type = kind === 'histogram' ? 'histogram' : kind === 'counter' ? 'counter' : 'gauge';
  const lines = [`# HELP ${name} ${help.replaceAll('\n', ' ')}`, `# TYPE ${name} ${type}`];
  for (const [labels, { value, buckets, count }] of series) {
    const at = (suffix: string, more = '') => {
      const all = [labels, more].filter((part) => part !== '').join(',');
      return `${name}${suffix}${all === '' ? '' : `{${all}}`}`;
    };
    if (kind !== 'histogram') {
      lines.push(`${at('')} ${value}`);
      continue;
    }
    for (const [i, bound] of bounds.entries()) lines.push(`${at('_bucket', `le="${bound}"`)} ${buckets[i] ?? 0}`);
    lines.push(`${at('_bucket', 'le="+Inf"')} ${count}`, `${at('_sum')} ${value}`, `${at('_count')} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}
