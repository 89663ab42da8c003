/** Prints results as a table of Markdown, so that the terminal and docs/benchmarks.md show the same. */
import { cpus } from 'node:os';
import type { Result } from './measure.ts';

export function renderResults(results: readonly Result[], baseline: readonly Result[]): string {
  const header = [
    '| case | records | records/s | CPU µs a record: ingestor | nats | sink | Millrace + nats | clickhouse | kafka | peak MiB ingestor / sink | records/s against stored |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
  ];
  const lines = results.map((result) => {
    const { cpu, rssMiB } = result;
    const ours = cpu.ingestor + cpu.nats + cpu.sink;
    const stored = baseline.find(({ name }) => name === result.name);
    const ratio = stored === undefined ? '–' : `${(result.recordsPerSecond / stored.recordsPerSecond).toFixed(2)}×`;
    return `| ${[
      result.name,
      result.records.toLocaleString('en'),
      Math.round(result.recordsPerSecond).toLocaleString('en'),
      cpu.ingestor.toFixed(2),
      cpu.nats.toFixed(2),
      cpu.sink.toFixed(2),
      ours.toFixed(2),
      cpu.clickhouse.toFixed(2),
      cpu.kafka.toFixed(2),
      `${rssMiB.ingestor.toFixed(0)} / ${rssMiB.sink.toFixed(0)}`,
      ratio,
    ].join(' | ')} |`;
  });
  return [...header, ...lines].join('\n');
}

export function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown CPU'}, Node ${process.versions.node}`;
}
