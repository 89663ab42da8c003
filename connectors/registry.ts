/**
 * All connectors: one line each. Schemas are here at once, because the CRD, lint and docs are made of them; code is
 * loaded only by the pod that runs the connector.
 */
import type { z } from 'zod';
import type { ConnectorModule } from './connector.ts';
import { clickhouseSinkSpec } from './clickhouse/spec.ts';
import { generatorSourceSpec } from './generator/spec.ts';
import { httpSourceSpec } from './http/spec.ts';
import { kafkaSourceSpec } from './kafka/spec.ts';
import { postgresSinkSpec } from './postgres/spec.ts';

export interface ConnectorEntry {
  readonly source?: z.ZodType;
  readonly sink?: z.ZodType;
  readonly load: () => Promise<ConnectorModule>;
}

export const connectors = {
  kafka: { source: kafkaSourceSpec, load: () => import('./kafka/index.ts') },
  http: { source: httpSourceSpec, load: () => import('./http/index.ts') },
  generator: { source: generatorSourceSpec, load: () => import('./generator/index.ts') },
  clickhouse: { sink: clickhouseSinkSpec, load: () => import('./clickhouse/index.ts') },
  postgres: { sink: postgresSinkSpec, load: () => import('./postgres/index.ts') },
} as const satisfies Record<string, ConnectorEntry>;
