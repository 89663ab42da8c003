/** Optional parts of the local stack: `--with kafka,postgres`. */
import { InvalidArgumentError } from 'commander';
import type { PartName } from '../local/stack.ts';

export const extras = ['kafka', 'postgres'] as const satisfies readonly PartName[];

export function extraParts(value: string): readonly PartName[] {
  return value.split(',').map((name) => {
    const extra = extras.find((known) => known === name.trim());
    if (extra === undefined) throw new InvalidArgumentError(`Known are ${extras.join(', ')}.`);
    return extra;
  });
}
