/**
 * A sink connector for tests: each batch is one file, named by its token, made by a rename. A batch that comes again with
 * the same token is there already; so what the directory holds is what a deduplicating table would hold. While it holds a
 * file `down` every write is refused; while it holds `silent` none is answered.
 */
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RowBuffer, Sink, SinkConnector } from '../../../connectors/connector.ts';
import { mr } from '../../../model/errors.ts';
import type { RecordObject } from '../../../model/value.ts';

export interface FileSinkConfig {
  readonly directory: string;
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
  connect: ({ directory }) =>
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
            if (await exists(join(directory, 'down')))
              return {
                kind: 'nothing',
                error: mr('MR_SINK_UNREACHABLE', { sink: 'warehouse', server: 'files', problem: 'down' }),
              };
            while (await exists(join(directory, 'silent'))) await delay(50, undefined, { signal });
            const file = join(directory, `${slot}_${String(id.from).padStart(9, '0')}_${encodeURIComponent(id.token)}`);
            if (await exists(file)) return { kind: 'stored', refused: [] };
            await writeFile(`${file}.part`, JSON.stringify(rows.values));
            await rename(`${file}.part`, file);
            return { kind: 'stored', refused: [] };
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
