/** How long a statement waits for other servers is asked for in the way that the server knows. */
import { deepEqual, rejects } from 'node:assert/strict';
import { define } from '../../../connectors/clickhouse/ddl.ts';
import { serverWithAnswers } from './given-answers.ts';

const mode = 'distributed_ddl_output_mode';

/** Answers as a server that refuses these modes with this code; tells with which mode each statement came. */
async function serverWithout(refused: readonly string[], code: number) {
  const came: (readonly [string, string | null, string | null])[] = [];
  const served = await serverWithAnswers(({ query, params }) => {
    const wanted = params.get(mode);
    if (wanted !== null && refused.includes(wanted)) return { status: 400, code, says: 'no such mode' };
    if (!query.startsWith('SELECT')) came.push([query, wanted, params.get('distributed_ddl_task_timeout')]);
    return [];
  });
  return { came, ...served };
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
