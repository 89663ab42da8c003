/** What runs where, for `millrace dev` and `npm start`: a table, then how to talk to it. Pure. */
import { dirname, join } from 'node:path';
import type { PartRecord, StackEndpoints } from '../local/stack.ts';
import { columns, fields } from './columns.ts';

export function partsTable(parts: readonly PartRecord[]): string {
  return columns(
    ['PART', 'STATE', 'PID', 'RESTARTS', 'ADDRESS', 'LOG'],
    parts.map((part) => [
      part.name,
      part.problem === undefined ? part.state : `${part.state}: ${part.problem}`,
      part.process ? String(part.process.pid) : '',
      String(part.restarts),
      part.address,
      part.logFile,
    ]),
  );
}

export function howToTalk(endpoints: StackEndpoints): string {
  return fields([
    ['This shell', `. ${join(dirname(endpoints.kubeconfig), 'env')}   sets KUBECONFIG and puts millrace on PATH`],
    ['Pipelines', 'millrace get -A      or: kubectl get pipelines -A'],
    ['Kubernetes', endpoints.kubernetesUrl],
    ['Temporal UI', endpoints.temporalUiUrl],
    ['REST API', `${endpoints.apiUrl}   its token is in ${join(dirname(endpoints.kubeconfig), 'api-token')}`],
    ['ClickHouse', `curl '${endpoints.clickhouseUrl}/?query=SHOW+TABLES'`],
    ['NATS', endpoints.natsUrl],
    ...(endpoints.kafka === undefined ? [] : ([['Kafka', endpoints.kafka]] as const)),
    ...(endpoints.postgres === undefined
      ? []
      : ([['Postgres', withoutPassword(endpoints.postgres, endpoints)]] as const)),
  ]);
}

function withoutPassword(address: string, { kubeconfig }: StackEndpoints): string {
  const url = new URL(address);
  url.password = '';
  return `${url.href}   its password is in ${join(dirname(kubeconfig), 'postgres', 'password')}`;
}
