import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { z } from 'zod';
import { askApi, type TokenSource } from '../../client/http.ts';
import { MillraceProblem } from '../../client/problem.ts';
import { tokenSourceFor } from '../../client/token.ts';
import { MillraceError } from '../../model/errors.ts';
import { listenOn } from '../../workers/process/listen.ts';

const request = { method: 'GET', path: '/v1/x', answer: z.looseObject({}) } as const;

async function refusal(api: string, tokenOf: TokenSource): Promise<unknown> {
  return askApi(api, tokenOf)(request).catch((error: unknown) => error);
}

describe('a request to the API', () => {
  let dir: string;
  before(async () => (dir = await mkdtemp(join(tmpdir(), 'millrace-http-'))));
  after(() => rm(dir, { recursive: true }));

  for (const status of [301, 302, 303, 307, 308]) {
    it(`H1: takes no token along when the API answers ${status}`, async () => {
      const seen: unknown[] = [];
      const server = createServer(({ url, headers }, response) => {
        seen.push([url, headers.authorization]);
        if (url === '/a/v1/x') response.writeHead(status, { location: '/b/v1/x?q=1' }).end();
        else response.end('{}');
      });
      const { port, close } = await listenOn(server, { host: '127.0.0.1', port: 0 });
      const error = await refusal(`http://127.0.0.1:${port}/a`, () => Promise.resolve('of-a'));
      await close();
      deepEqual(seen, [['/a/v1/x', 'Bearer of-a']]);
      ok(error instanceof MillraceProblem);
      match(
        error.message,
        new RegExp(`answered ${status} and sends the request to http://127.0.0.1:${port}/b/v1/x\\.`),
      );
    });
  }

  for (const [text, problem] of [
    ['secret-of-one\nsecret-of-two\n', /has several lines/],
    ['secret-of one', /has spaces or other characters/],
    ['secret-of-\u0161', /has spaces or other characters/],
    ['\n', /is empty/],
  ] as const) {
    it(`H2: is not made with ${JSON.stringify(text)}, and no error repeats it`, async () => {
      const file = join(dir, 'token');
      await writeFile(file, text);
      const api = 'http://127.0.0.1:1';
      const error = await refusal(api, await tokenSourceFor(api, { MILLRACE_API_TOKEN_FILE: file }));
      ok(error instanceof MillraceError);
      equal(error.code, 'MR_API_TOKEN_MALFORMED');
      match(error.message, problem);
      ok(!inspect(error, { depth: null }).includes('secret-of'));
    });
  }

  it('is made with a token that a program has read with the end of its line', async () => {
    const seen: unknown[] = [];
    const server = createServer(({ headers }, response) => {
      seen.push(headers.authorization);
      response.end('{}');
    });
    const { port, close } = await listenOn(server, { host: '127.0.0.1', port: 0 });
    await askApi(`http://127.0.0.1:${port}`, () => Promise.resolve('word\r\n'))(request);
    await close();
    deepEqual(seen, ['Bearer word']);
  });
});
