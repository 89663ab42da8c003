/**
 * The ClickHouse engine in this process (chdb), over one data directory.
 *
 * C1  Each query has a session of its own: settings and parameters of one request are not visible to another.
 * C2  A run that resolved is on disk as far as the engine writes it: parts of MergeTree tables survive SIGKILL.
 */
import { Session } from 'chdb';
import { asException } from './exceptions.ts';

export interface Run {
  readonly sql: string;
  /** Unless the statement names one. */
  readonly format?: string;
  readonly database?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Assignments as written in SQL: `a = 1, b = 'x'`. Applied after `settings`. */
  readonly rawSettings?: string | null;
  /** Values of `{name:Type}`, as they come in a URL. */
  readonly params?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly bytes: Uint8Array;
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly elapsedSeconds: number;
}

export interface Engine {
  run(what: Run): Promise<Answer>;
  close(): void;
}

export function openEngine(dir: string): Engine {
  // Keeps the engine alive between requests; a session of a request is cheap (0.1 ms) only while another one is open.
  const anchor = new Session(dir);
  return {
    async run(what) {
      const session = new Session(dir);
      try {
        const before = preamble(what);
        if (before !== '') await session.queryAsync(before);
        const result = await session.queryAsync(what.sql, { format: what.format ?? 'TabSeparated' });
        const { rowsRead, bytesRead, elapsed } = result;
        return { bytes: result.bytes(), rowsRead, bytesRead, elapsedSeconds: elapsed };
      } catch (error) {
        throw asException(error);
      } finally {
        session.close();
      }
    },
    close: () => anchor.close(),
  };
}

/** The rows of a query, parsed. */
export async function rowsOf(engine: Engine, what: Run): Promise<unknown[]> {
  const { bytes } = await engine.run({ ...what, format: 'JSONEachRow' });
  const lines = new TextDecoder().decode(bytes).split('\n');
  return lines.filter((line) => line !== '').map((line): unknown => JSON.parse(line));
}

function preamble({ database, settings = {}, rawSettings, params = {} }: Run): string {
  const statements: string[] = [];
  if (database !== undefined && database !== 'default') statements.push(`USE ${quoteName(database)}`);
  const assignments = Object.entries(settings).map(([name, value]) => `${quoteName(name)} = ${quoteText(value)}`);
  for (const [name, value] of Object.entries(params)) {
    assignments.push(`${quoteName(`param_${name}`)} = ${quoteText(value)}`);
  }
  if (assignments.length > 0) statements.push(`SET ${assignments.join(', ')}`);
  if (rawSettings !== undefined && rawSettings !== null) statements.push(`SET ${rawSettings}`);
  return statements.join('; ');
}

export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

export function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
