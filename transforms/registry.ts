/** All steps: one line each. */
import { filter } from './filter.ts';
import { map } from './map.ts';
import type { Transform } from './transform.ts';

export const transforms = { filter, map } as const satisfies Record<string, Transform>;

export function transformOf(kind: string): Transform | undefined {
  return Object.entries(transforms).find(([name]) => name === kind)?.[1];
}
