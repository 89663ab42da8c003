/**
 * Requests to the API: JSON out, checked JSON in, problems as {@link MillraceProblem}.
 *
 * H1  The token goes to the address that the program was given, and no redirect takes it elsewhere.
 * H2  The token is in no error: what cannot be in a header is refused before `fetch`, which would repeat it.
 */
import type { z } from 'zod';
import { mr } from '../model/errors.ts';
import { jsonOrNothing } from '../model/json-or-nothing.ts';
import { MillraceProblem } from './problem.ts';
import { problemSchema, type Problem } from './wire.ts';

export interface ApiRequest<T> {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Below the address of the API. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answer: z.ZodType<T>;
  readonly signal?: AbortSignal | undefined;
}

export type Ask = <T>(request: ApiRequest<T>) => Promise<T>;

/** Asked before each request: a token is replaced while a program runs. */
export type TokenSource = () => Promise<string | undefined>;

export function askApi(api: string, tokenOf: TokenSource): Ask {
  const base = api.endsWith('/') ? api.slice(0, -1) : api;
  return async ({ method, path, query, body, headers, answer, signal }) => {
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const token = (await tokenOf())?.trim();
    const fault = token === undefined ? undefined : tokenFault(token);
    if (fault !== undefined) throw mr('MR_API_TOKEN_MALFORMED', { api: url.origin, problem: fault });
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: {
        accept: 'application/json',
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined
          ? {}
          : { 'content-type': typeof body === 'string' ? 'application/yaml' : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.text();
    // H1.
    if (response.status >= 300 && response.status < 400) throw new MillraceProblem(redirected(response, url));
    if (!response.ok) throw new MillraceProblem(problemIn(text, response.status, url));
    return answer.parse(JSON.parse(text));
  };
}

/** H2. Without the text, which may be a secret. */
function tokenFault(token: string): string | undefined {
  if (token === '') return 'is empty';
  if (/[\r\n]/.test(token)) return 'has several lines';
  return /^[\x21-\x7e]+$/.test(token) ? undefined : 'has spaces or other characters in it';
}

function redirected({ status, headers }: Response, url: URL): Problem {
  const to = URL.parse(headers.get('location') ?? '', url.href);
  const where = to === null ? 'elsewhere' : `to ${to.origin}${to.pathname}`;
  return notTheApi(
    status,
    url,
    `${url.origin} answered ${status} and sends the request ${where}. It was not followed: the token is for the first address only. Name the address at which the API itself is.`,
  );
}

/** Something between here and the API may answer in its own way. */
function problemIn(text: string, status: number, url: URL): Problem {
  // Without a problem of ours the status is enough.
  const known = problemSchema.safeParse(jsonOrNothing(text));
  if (known.success) return known.data;
  return notTheApi(status, url, `${url.origin} answered ${status} with something that is not a problem of Millrace.`);
}

function notTheApi(status: number, url: URL, detail: string): Problem {
  return {
    ...{ type: 'about:blank', title: 'Not the API', status, detail },
    instance: url.pathname,
    code: 'MR_INTERNAL',
    retryable: status >= 500,
  };
}
