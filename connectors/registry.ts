/**
 * All connectors: one line each. Schemas are here at once, because the CRD, lint and docs are made of them; code is
 * loaded only by the pod that runs the connector.
 */
import type { z } from 'zod';
import type { ConnectorModule } from './connector.ts';
import { clickhouseSinkSpec } from './clickhouse/spec.ts';
import { generatorSourceSpec } from './generator/spec.ts';
import { httpRecordsPath, httpSourceSpec } from './http/spec.ts';
import { kafkaSourceSpec } from './kafka/spec.ts';
import { postgresSinkSpec } from './postgres/spec.ts';

export interface ConnectorEntry {
  readonly source?: z.ZodType;
  readonly sink?: z.ZodType;
  /**
   * Of a source that takes records by HTTP: the path on the pod's port `records`, from its configuration. Such a source
   * gets that port, a Service, and the API's route for records.
   */
  readonly recordsPath?: (config: unknown) => string;
  readonly load: () => Promise<ConnectorModule>;
}

export const connectors = {
  kafka: { source: kafkaSourceSpec, load: () => import('./kafka/index.ts') },
  http: { source: httpSourceSpec, recordsPath: httpRecordsPath, load: () => import('./http/index.ts') },
  generator: { source: generatorSourceSpec, load: () => import('./generator/index.ts') },
  clickhouse: { sink: clickhouseSinkSpec, load: () => import('./clickhouse/index.ts') },
  postgres: { sink: postgresSinkSpec, load: () => import('./postgres/index.ts') },
} as const satisfies Record<string, ConnectorEntry>;
