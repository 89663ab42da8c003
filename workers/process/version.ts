/** Version of the package. */
import { readFileSync } from 'node:fs';

/** Read without a schema library, which would delay `millrace --version`. */
export function packageVersion(): string {
  const read: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const isPackage = typeof read === 'object' && read !== null && 'version' in read;
  if (!isPackage || typeof read.version !== 'string') throw new TypeError('package.json has no version');
  return read.version;
}
