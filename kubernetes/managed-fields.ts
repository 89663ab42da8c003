/** The API server's own account of who owns which field of an object (`metadata.managedFields`). Pure. */
import { z } from 'zod';

/** The entries that have this form; the others say nothing about what is asked. */
export function managedEntries<T>(metadata: { readonly [field: string]: unknown }, form: z.ZodType<T>): readonly T[] {
  const entries = z.array(z.unknown()).catch([]).parse(metadata['managedFields']);
  return entries.flatMap((entry) => {
    const read = form.safeParse(entry);
    return read.success ? [read.data] : [];
  });
}
