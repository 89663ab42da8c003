/** The connection to ClickHouse: kept alive, verified as the spec says, silent. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { milliseconds } from '../../model/quantities.ts';
import type { ClickHouseSinkConfig } from './spec.ts';

/** ClickHouse closes an idle connection after 3 s (10 s in newer versions); the client must close it before that. */
const idleSocketMs = 2_000;

export function connectClient(config: ClickHouseSinkConfig): ClickHouseClient {
  return createClient({
    url: config.url,
    username: config.username,
    password: config.password ?? '',
    request_timeout: milliseconds(config.requestTimeout),
    compression: { request: config.compression === 'Gzip', response: false },
    keep_alive: { enabled: true, idle_socket_ttl: idleSocketMs },
    // Failures reach the stage as errors; the client's own log lines would report each of them a second time.
    log: { level: ClickHouseLogLevel.OFF },
    http_agent: agent(config),
  });
}

function agent({ url, tls }: ClickHouseSinkConfig): HttpAgent {
  const options = { keepAlive: true, maxSockets: 10 };
  if (!url.startsWith('https:')) return new HttpAgent(options);
  return new HttpsAgent({
    ...options,
    rejectUnauthorized: !(tls?.insecureSkipVerify ?? false),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
  });
}
