/**
 * Checks the input with which a person has started a workflow, before anything is done with it.
 *
 * W1  Input that names no pipeline fails the workflow with MR_REQUEST_INVALID. Any other error from workflow code would
 *     be retried by Temporal indefinitely, while the caller waits.
 *
 * The spec is checked by lint in the activity, which gives better messages.
 */
import { ApplicationFailure } from '@temporalio/workflow';
import { mr } from '../model/errors.ts';
import { cut } from '../model/text.ts';

/** Throws unless `input` is an object with the strings `namespace` and `name`. `fields`: further required fields. */
export function checkNamesPipeline(workflow: string, input: unknown, fields: readonly string[] = []): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    const all = ['namespace', 'name', ...fields].map((field) => `\`${field}\``).join(', ');
    throw invalid(`${workflow} takes one object with ${all}, but was given ${kindOf(input)}`);
  }
  const given = new Map<string, unknown>(Object.entries(input));
  for (const field of ['namespace', 'name']) {
    const value = given.get(field);
    if (typeof value === 'string' && dnsName.test(value)) continue;
    const what = typeof value === 'string' ? `is ${JSON.stringify(cut(value, 100))}` : `is ${kindOf(value)}`;
    throw invalid(`\`${field}\` must be a lower-case DNS name, but ${what}`);
  }
  const missing = fields.find((field) => given.get(field) === undefined);
  if (missing !== undefined) throw invalid(`\`${missing}\` is required`);
}

/** What Kubernetes accepts; lint decides which names a new pipeline may have. */
const dnsName = /^[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?$/;

function invalid(problem: string): ApplicationFailure {
  const error = mr('MR_REQUEST_INVALID', { where: 'input', problem });
  return ApplicationFailure.create({ type: error.code, message: error.sentence, nonRetryable: true });
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  const kinds: Readonly<Partial<Record<string, string>>> = {
    string: 'text',
    number: 'a number',
    boolean: 'true or false',
  };
  return kinds[typeof value] ?? 'an object';
}
