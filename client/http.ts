/** Requests to the API: JSON out, checked JSON in, problems as {@link MillraceProblem}. */
import type { z } from 'zod';
import { jsonOrNothing } from '../model/json-or-nothing.ts';
import { MillraceProblem } from './problem.ts';
import { problemSchema } from './wire.ts';

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
    const token = await tokenOf();
    const response = await fetch(url, {
      method,
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
    if (!response.ok) throw new MillraceProblem(problemIn(text, response.status, url));
    return answer.parse(JSON.parse(text));
  };
}

/** Something between here and the API may answer in its own way. */
function problemIn(text: string, status: number, url: URL) {
  // Without a problem of ours the status is enough.
  const known = problemSchema.safeParse(jsonOrNothing(text));
  if (known.success) return known.data;
  return {
    type: 'about:blank',
    title: 'Not the API',
    status,
    detail: `${url.origin} answered ${status} with something that is not a problem of Millrace.`,
    instance: url.pathname,
    code: 'MR_INTERNAL',
    retryable: status >= 500,
  };
}
