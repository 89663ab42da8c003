/** Loaded first by a process of the simulation (`--import`): changes one file as `MILLRACE_MUTATION` says, by its index. */
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mutations, nameOf } from './mutations.ts';

const mutation = mutations[Number(process.env['MILLRACE_MUTATION'] ?? NaN)];
if (mutation !== undefined) {
  const url = pathToFileURL(join(import.meta.dirname, '../..', mutation.file)).href;
  registerHooks({
    load(asked, context, next) {
      const loaded = next(asked, context);
      if (asked !== url) return loaded;
      const text = Buffer.from(loaded.source as Uint8Array).toString('utf8');
      const count = text.split(mutation.from).length - 1;
      if (count !== 1) throw new Error(`${nameOf(mutation)}: its text is found ${count} times in ${mutation.file}`);
      return { ...loaded, source: text.replace(mutation.from, () => mutation.to) };
    },
  });
}
