/** The bill of materials of an image, as CycloneDX 1.6: every package whose files it holds. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

export interface Component {
  readonly name: string;
  readonly version: string;
  /** Package URL. */
  readonly purl: string;
  /** SPDX expression; absent where the package names files instead. */
  readonly licence?: string;
}

export interface Described {
  readonly version: string;
  readonly revision: string;
  /** RFC 3339; of the commit, so that the same commit gives the same document. */
  readonly createdAt: string;
}

export function sbomOf({ version, revision, createdAt }: Described, components: readonly Component[]): string {
  const sorted = [...components].sort((one, other) => (one.purl < other.purl ? -1 : 1));
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: createdAt,
      component: {
        type: 'container',
        name: 'millrace',
        version,
        properties: [{ name: 'millrace:revision', value: revision }],
      },
    },
    components: sorted.map(({ name, version: of, purl, licence }) => ({
      type: 'library',
      'bom-ref': purl,
      name,
      version: of,
      purl,
      ...(licence === undefined ? {} : { licenses: [{ expression: licence }] }),
    })),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

const manifest = z.object({ name: z.string(), version: z.string(), license: z.string().optional().catch(undefined) });

/** npm packages of which files were taken. `paths`: of those files, below `folder`. */
export async function npmComponents(folder: string, paths: readonly string[]): Promise<Component[]> {
  const packages = new Set(paths.flatMap((path) => packageFolder(path) ?? []));
  const found = await Promise.all(
    [...packages].map(async (path) => {
      const text = await readFile(join(folder, path, 'package.json'), 'utf8');
      const { name, version, license } = manifest.parse(JSON.parse(text));
      const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
      return { name, version, purl, ...(license === undefined ? {} : { licence: license }) };
    }),
  );
  return [...new Map(found.map((component) => [component.purl, component])).values()];
}

/** `node_modules/a/node_modules/@b/c` of `node_modules/a/node_modules/@b/c/lib/x.js`. */
function packageFolder(path: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}
