/**
 * A sink connector for tests: each batch is one file, named by its token, made by a rename. A batch that comes again with
 * the same token is there already; so what the directory holds is what a deduplicating table would hold. While it holds a
 * file `down` every write is refused; while it holds `silent` none is answered; while it holds `misfit` the first row of
 * a batch is refused. What it says of these repeats its password, as a server may.
 */
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RowBuffer, Sink, SinkConnector } from '../../../connectors/connector.ts';
import { mr } from '../../../model/errors.ts';
import type { RecordObject } from '../../../model/value.ts';

export interface FileSinkConfig {
  readonly directory: string;
  readonly password?: string;
}

class Rows implements RowBuffer {
  values: RecordObject[] = [];
  bytes = 0;

  get rows(): number {
    return this.values.length;
  }

  add(value: RecordObject): void {
    this.values.push(value);
    this.bytes += 100;
  }

  clear(): void {
    this.values = [];
    this.bytes = 0;
  }
}

export const fileSink: SinkConnector<FileSinkConfig> = {
  connect: ({ directory, password = 'none' }, { log }) =>
    Promise.resolve<Sink>({
      async open({ slot }) {
        await mkdir(directory, { recursive: true });
        return {
          positionIn: 'commitLog',
          mark: () => Promise.resolve(null),
          mayRepeat: () => Promise.resolve({ kind: 'repeat' }),
          newRows: () => new Rows(),
          async write(rows, id, _refused, signal) {
            if (!(rows instanceof Rows)) throw new TypeError('rows of this sink');
            if (await exists(join(directory, 'down'))) {
              const problem = `down before: '${password}'`;
              const error = mr('MR_SINK_UNREACHABLE', { sink: 'warehouse', server: 'files', problem });
              log.warn({ err: error, sent: { query: `with ${encodeURIComponent(password)}` } }, problem);
              return { kind: 'nothing', error };
            }
            while (await exists(join(directory, 'silent'))) await delay(50, undefined, { signal });
            const file = join(directory, `${slot}_${String(id.from).padStart(9, '0')}_${encodeURIComponent(id.token)}`);
            if (await exists(file)) return { kind: 'stored', refused: [] };
            await writeFile(`${file}.part`, JSON.stringify(rows.values));
            await rename(`${file}.part`, file);
            if (!(await exists(join(directory, 'misfit')))) return { kind: 'stored', refused: [] };
            const misfit = { field: 'n', wanted: 'another', actual: `'${password}'` };
            return { kind: 'stored', refused: [{ row: 0, error: mr('MR_RECORD_MISFIT', misfit) }] };
          },
          close: () => Promise.resolve(),
        };
      },
      close: () => Promise.resolve(),
    }),
};

/** All rows, in the order in which each slot wrote them. */
export async function rowsIn(directory: string): Promise<{ slot: number; n: number }[]> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => /^\d+_/.test(name) && !name.endsWith('.part')).sort();
  const contents = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  return contents.flatMap((text) => JSON.parse(text) as { slot: number; n: number }[]);
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
