/**
 * Turns a registry into the member fields of a union: `{kafka: {source: S}, …}` → `{kafka: S.optional(), …}`.
 *
 * A union in the API is a set of optional members of which exactly one is given. (`oneOf` with types and defaults
 * inside is not a structural schema, so a CRD cannot have it.)
 */
import type { z } from 'zod';

type Registry = Readonly<Record<string, object>>;

type Members<R extends Registry, Side extends string> = {
  [K in keyof R as R[K] extends Record<Side, z.ZodType> ? K : never]: R[K] extends Record<
    Side,
    infer S extends z.ZodType
  >
    ? z.ZodOptional<S>
    : never;
};

/** The optional member fields for one side (`source`, `sink` or `spec`) of every registry entry that has it. */
export function members<R extends Registry, Side extends string>(registry: R, side: Side): Members<R, Side> {
  const found = Object.entries(registry).flatMap(([name, entry]) => {
    const schema: unknown = Object.entries(entry).find(([key]) => key === side)?.[1];
    return isSchema(schema) ? [[name, schema.optional()] as const] : [];
  });
  // Object.fromEntries loses which key has which type; the mapped type above states what the loop does.
  return Object.fromEntries(found) as Members<R, Side>;
}

function isSchema(value: unknown): value is z.ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value;
}
