/**
 * Building blocks of spec schemas. Every field carries a description, a bound and, where there is one, a default:
 * `kubectl explain` and docs/reference are made of them.
 */
import { z } from 'zod';

/** A name that may stand in subjects, labels and object names: lower-case letters, digits, `-`; at most 40 characters. */
export const nameField = (what: string) =>
  z
    .string()
    .min(1)
    .max(40)
    .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/)
    .describe(`${what}: lower-case letters, digits and "-", at most 40 characters.`);

/** Text that may hold `$(secret:NAME/KEY)` and `$(configMap:NAME/KEY)`; resolved inside the pod only. */
export const referenceText = (description: string) =>
  z.string().min(1).max(4096).describe(`${description} May contain $(secret:NAME/KEY) or $(configMap:NAME/KEY).`);

/** A CEL expression. */
export const expressionField = (description: string) => z.string().min(1).max(4096).describe(`${description} CEL.`);

/** `500ms`, `10s`, `5m`, `1h`. */
export const durationField = (description: string) =>
  z
    .string()
    .max(16)
    .regex(/^[0-9]+(ms|s|m|h)$/)
    .describe(`${description} A whole number with unit ms, s, m or h.`);

/** Kubernetes quantity of bytes: `512Ki`, `16Mi`, `1Gi`, or a plain number. */
export const bytesField = (description: string) =>
  z
    .string()
    .max(16)
    .regex(/^[1-9][0-9]*(Ki|Mi|Gi|Ti)?$/)
    .describe(`${description} A quantity such as 512Ki, 16Mi or 1Gi.`);

/** A field whose change would give stored positions another meaning: the API server refuses to change it. */
export function immutable<S extends z.ZodType>(schema: S, what: string): S {
  return schema.meta({
    ...schema.meta(),
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: `${what} must not change; give a source of another name` },
    ],
  });
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const byteUnits: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Milliseconds of a {@link durationField}. */
export function milliseconds(duration: string): number {
  const [, count, unit] = /^([0-9]+)(ms|s|m|h)$/.exec(duration) ?? [];
  const factor = durationUnits[unit ?? ''];
  if (count === undefined || factor === undefined) throw new TypeError(`not a duration: ${duration}`);
  return Number(count) * factor;
}

/** Bytes of a {@link bytesField}. */
export function bytes(quantity: string): number {
  const [, count, unit] = /^([0-9]+)(Ki|Mi|Gi|Ti)?$/.exec(quantity) ?? [];
  const factor = byteUnits[unit ?? ''];
  if (count === undefined || factor === undefined) throw new TypeError(`not a quantity of bytes: ${quantity}`);
  return Number(count) * factor;
}
