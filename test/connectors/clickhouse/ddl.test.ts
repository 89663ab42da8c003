/** How long a statement waits for other servers is asked for in the way that the server knows. */
import { deepEqual, rejects } from 'node:assert/strict';
import { createServer } from 'node:http';
import { createClient } from '@clickhouse/client';
import { define } from '../../../connectors/clickhouse/ddl.ts';

const mode = 'distributed_ddl_output_mode';

/** Answers as a server that refuses these modes with this code; tells with which mode each statement came. */
async function serverWithout(refused: readonly string[], code: number) {
  const came: (readonly [string, string | null, string | null])[] = [];
  const server = createServer((asked, answer) => {
    let query = '';
    asked.on('data', (chunk: Buffer) => (query += chunk.toString()));
    asked.on('end', () => {
      const { searchParams } = new URL(asked.url ?? '/', 'http://127.0.0.1');
      const wanted = searchParams.get(mode);
      if (wanted !== null && refused.includes(wanted)) {
        answer.writeHead(400, { 'X-ClickHouse-Exception-Code': String(code) });
        answer.end(`Code: ${code}. DB::Exception: no such mode (OF_A_TEST)\n`);
        return;
      }
      if (!query.startsWith('SELECT')) came.push([query, wanted, searchParams.get('distributed_ddl_task_timeout')]);
      answer.writeHead(200, {
        'X-ClickHouse-Query-Id': searchParams.get('query_id') ?? '',
        'X-ClickHouse-Summary': '{}',
      });
      answer.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const client = createClient({ url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}` });
  const close = async () => {
    await client.close();
    await new Promise((resolve) => server.close(resolve));
  };
  return { came, client, close };
}

describe('N1: a statement of ClickHouse that makes or drops a table', () => {
  const [newest, older] = ['none_only_active', 'null_status_on_timeout_only_active'];
  for (const [what, refused, code, asked] of [
    ['waits for servers that are there', [], 36, newest],
    ['waits as an older server can', [newest], 36, older],
    ['waits as a server is configured that knows no such mode', [newest, older], 36, null],
    ['waits as a server is configured that knows no such setting', [newest, older], 115, null],
    ['waits as it is configured where the user may change no setting', [newest, older], 164, null],
    ['waits as it is configured where the profile forbids it', [newest, older], 452, null],
  ] as const) {
    it(what, async () => {
      const { came, client, close } = await serverWithout(refused, code);
      await define(client, 'DROP TABLE a');
      await define(client, 'DROP TABLE b');
      const timeout = asked === null ? null : '20';
      deepEqual(came, [
        ['DROP TABLE a', asked, timeout],
        ['DROP TABLE b', asked, timeout],
      ]);
      await close();
    });
  }

  it('is not sent while the server cannot tell what it knows', async () => {
    const { came, client, close } = await serverWithout([newest], 202);
    await rejects(define(client, 'DROP TABLE a'), /no such mode/);
    deepEqual(came, []);
    await close();
  });
});
