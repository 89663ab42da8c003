/** A server of the test's own, which answers as ClickHouse would where the embedded one cannot. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@clickhouse/client';

export interface Question {
  readonly query: string;
  readonly params: URLSearchParams;
}

/** Rows, or an error: `code` of ClickHouse, and what it says. */
export type GivenAnswer = readonly object[] | { readonly status: number; readonly code: number; readonly says: string };

export async function serverWithAnswers(answerTo: (question: Question) => GivenAnswer) {
  const server = createServer((request, response) => {
    let query = '';
    request.on('data', (chunk: Buffer) => (query += chunk.toString()));
    request.on('end', () => {
      const { searchParams: params } = new URL(request.url ?? '/', 'http://127.0.0.1');
      const answer = answerTo({ query, params });
      if ('code' in answer) {
        response.writeHead(answer.status, { 'X-ClickHouse-Exception-Code': String(answer.code) });
        response.end(`Code: ${answer.code}. DB::Exception: ${answer.says} (OF_A_TEST)\n`);
        return;
      }
      const id = params.get('query_id') ?? '';
      response.writeHead(200, { 'X-ClickHouse-Query-Id': id, 'X-ClickHouse-Summary': '{}' });
      response.end(answer.map((row) => `${JSON.stringify(row)}\n`).join(''));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = createClient({ url: `http://127.0.0.1:${port}` });
  const close = async () => {
    await client.close();
    await new Promise((resolve) => server.close(resolve));
  };
  return { client, close };
}
