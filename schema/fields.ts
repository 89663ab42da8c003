/**
 * Building blocks of spec schemas. Every field carries a description, a bound and, where there is one, a default:
 * `kubectl explain` and docs/reference are made of them.
 */
import { z } from 'zod';
import { mayHoldReference } from '../model/credentials.ts';
import { bytePattern, durationPattern } from '../model/quantities.ts';

/** A name that may stand in subjects, labels and object names: lower-case letters, digits, `-`; at most 40 characters. */
export const nameField = (what: string) =>
  z
    .string()
    .min(1)
    .max(40)
    .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/)
    .describe(`${what}: lower-case letters, digits and "-", at most 40 characters.`);

/**
 * Text that may hold `$(secret:NAME/KEY)` and `$(configMap:NAME/KEY)`; resolved inside the pod only. The bound holds for
 * what is written in the spec and, in the pod, for what the references stand for.
 */
export const referenceText = (description: string, maxLength = 4096) =>
  z.string().min(1).max(maxLength).describe(`${description} May contain $(secret:NAME/KEY) or $(configMap:NAME/KEY).`);

/** Certificates or a key. As long as a Secret can hold: the bundle of a system's authorities alone has 200 KB. */
export const pemText = (description: string) => referenceText(`${description} PEM.`, 1_048_576);

/** An address of HTTP. Text with a reference is looked at once it is resolved, in the pod. */
export const httpUrlText = (description: string) =>
  referenceText(description).refine((text) => mayHoldReference(text) || isHttpUrl(text), {
    message: 'is not a URL that begins with http:// or https://',
  });

/** A CEL expression. */
export const expressionField = (description: string) => z.string().min(1).max(4096).describe(`${description} CEL.`);

/** `500ms`, `10s`, `5m`, `1h`. */
export const durationField = (description: string) =>
  z.string().max(16).regex(durationPattern).describe(`${description} A whole number with unit ms, s, m or h.`);

/** Kubernetes quantity of bytes: `512Ki`, `16Mi`, `1Gi`, or a plain number. */
export const bytesField = (description: string) =>
  z.string().max(16).regex(bytePattern).describe(`${description} A quantity such as 512Ki, 16Mi or 1Gi.`);

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '';
}

/** For the API server: this list is merged by name, field by field, and a name occurs once. */
export const mergedByName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] };

/** A list of named things. A name occurs once in it, as the API server wants, too. */
export const namedList = <Item extends z.ZodType<{ name: string }>>(item: Item) =>
  z
    .array(item)
    .superRefine((list, context) => {
      const seen = new Map<string, number>();
      list.forEach(({ name }, index) => {
        const first = seen.get(name);
        if (first === undefined) {
          seen.set(name, index);
          return;
        }
        const message = `must be unique, but item ${first} has the name "${name}", too`;
        context.addIssue({ code: 'custom', path: [index, 'name'], message });
      });
    })
    .meta(mergedByName);

/** A field whose change would give stored positions another meaning: the API server refuses to change it. */
export function immutable<S extends z.ZodType>(schema: S, what: string): S {
  return schema.meta({
    ...schema.meta(),
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: `${what} must not change; give a source of another name` },
    ],
  });
}
