/** What an image holds: files that lie somewhere, texts that are made, and links. Directories follow from the paths. */
export type Entry = { readonly path: string } & (
  | { readonly kind: 'file'; readonly from: string; readonly isProgram?: boolean }
  | { readonly kind: 'text'; readonly text: string; readonly isProgram?: boolean }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'directory'; readonly mode: number }
);

/** Files of a folder keep their paths, below `at`. */
export function filesBelow(at: string, folder: string, paths: readonly string[]): Entry[] {
  return paths.map((path) => ({ kind: 'file', path: `${at}/${path}`, from: `${folder}/${path}` }));
}

/** Bits of the file mode: nobody writes, everybody reads; programs may be run. */
export function modeOf(entry: Entry): number {
  switch (entry.kind) {
    case 'directory':
      return entry.mode;
    case 'link':
      return 0o777;
    case 'file':
    case 'text':
      return entry.isProgram === true ? 0o555 : 0o444;
  }
}
