/** MILLRACE_WATCH_NAMESPACES: the namespaces in which Millrace looks after pipelines. Empty or not set: all of them. */
import { z } from 'zod';

const name = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

export const watchNamespaces = {
  MILLRACE_WATCH_NAMESPACES: z
    .string()
    .transform((names): readonly string[] => (names === '' ? [] : [...new Set(names.split(','))]))
    .refine((names) => names.every((one) => name.test(one)), 'it must be names of namespaces, separated by commas')
    .default([]),
};
